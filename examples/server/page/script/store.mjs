// Conversations in the browser: one record each in IndexedDB. Where the browser gives none (some private windows), they live as
// long as the page, and the page says so. Other tabs are told what changed.

import {checkedConversation} from './conversation.mjs';

const kDatabase = 'quern-chat';
const kTableVersion = 1;  // of the tables; a record has a `schema` of its own
const kTable = 'conversations';

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function open() {
  const request = indexedDB.open(kDatabase, kTableVersion);
  request.onupgradeneeded = (event) => {
    if (event.oldVersion < 1) request.result.createObjectStore(kTable, {keyPath: 'id'});
  };
  return done(request);
}

export class Store {
  // onProblem(text): what the user should know. onChange(): another tab wrote or deleted something.
  constructor({onProblem, onChange}) {
    this.onProblem = onProblem;
    this.onChange = onChange;
    this.database = null;
    this.channel = typeof BroadcastChannel === 'function' ? new BroadcastChannel(kDatabase) : null;
    if (this.channel) this.channel.onmessage = ({data}) => onChange(data);
  }

  // All conversations. A record that cannot be read is left alone and counted.
  async load() {
    try {
      this.database = await open();
    } catch (error) {
      this.onProblem(error?.name === 'VersionError'
        ? 'A newer version of this page has stored conversations here. Reload to get it; until then nothing is kept.'
        : 'This browser keeps nothing for this page: conversations are gone when you leave it. Export what matters.');
      return [];
    }
    this.database.onversionchange = () => this.database.close();
    const records = await done(this.database.transaction(kTable).objectStore(kTable).getAll());
    const conversations = [];
    for (const record of records) {
      try {
        conversations.push(checkedConversation(record));
      } catch {
        // Counted below.
      }
    }
    const damaged = records.length - conversations.length;
    if (damaged > 0) this.onProblem(`${damaged} stored conversation${damaged > 1 ? 's' : ''} could not be read.`);
    return conversations;
  }

  async read(id) {
    if (!this.database) return null;
    const record = await done(this.database.transaction(kTable).objectStore(kTable).get(id));
    try {
      return record ? checkedConversation(record) : null;
    } catch {
      return null;
    }
  }

  save(conversation) {
    return this.write(conversation.id, (table) => table.put(structuredClone(conversation)));
  }

  remove(id) {
    return this.write(id, (table) => table.delete(id));
  }

  async write(id, change) {
    if (!this.database) return false;
    try {
      const transaction = this.database.transaction(kTable, 'readwrite');
      const finished = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
      change(transaction.objectStore(kTable));
      await finished;
      this.channel?.postMessage(id);
      return true;
    } catch (error) {
      this.onProblem(error?.name === 'QuotaExceededError'
        ? 'The browser\u2019s storage is full: this conversation is not kept. Export or delete old ones.'
        : `The browser could not store this conversation (${error?.name ?? 'unknown error'}).`);
      return false;
    }
  }
}
