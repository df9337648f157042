// What a user does on the page, in words that the tests share.
import assert from 'node:assert/strict';

// In the page: transactions that write come one after the other, so one more of them waits for those before.
function stored() {
  return new Promise((resolve, reject) => {
    const opened = indexedDB.open('quern-chat');
    opened.onerror = () => reject(opened.error);
    opened.onsuccess = () => {
      const transaction = opened.result.transaction('conversations', 'readwrite');
      transaction.objectStore('conversations').count();
      transaction.oncomplete = () => {
        opened.result.close();
        resolve();
      };
    };
  });
}

export class ChatPage {
  constructor(tab) {
    this.tab = tab;
  }

  get text() {
    return this.tab.locator('#composer-text');
  }

  async ready() {
    await this.tab.waitForFunction(() => !document.querySelector('#model').disabled);
  }

  // Types a message and sends it; does not wait for the answer.
  async ask(text) {
    await this.text.fill(text);
    await this.text.press('Enter');
  }

  async finished() {
    await this.tab.waitForFunction(() => document.querySelector('#stop').hidden);
  }

  async say(text) {
    await this.ask(text);
    await this.finished();
  }

  messages(role) {
    return this.tab.locator(`.message${role ? `.${role}` : ''}`);
  }

  // The texts of the messages that are shown.
  async texts(role) {
    const parts = await this.messages(role).evaluateAll((nodes) => nodes.map((node) => node.querySelector('.bubble, .markdown')?.innerText ?? ''));
    return parts.map((text) => text.trim());
  }

  answer() {
    return this.messages('assistant').last();
  }

  button(within, label) {
    return within.getByRole('button', {name: label, exact: true});
  }

  // Reloads once all is stored that the page has begun to store, which a reload would cut short.
  async reload() {
    await this.tab.evaluate(stored);
    await this.tab.reload();
  }

  // Waits until `condition` (a function in this process) holds.
  async until(condition, what) {
    const end = Date.now() + 30000;
    while (Date.now() < end) {
      if (await condition()) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.fail(`waited 30 s in vain: ${what}`);
  }
}
