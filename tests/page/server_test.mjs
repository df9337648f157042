// The page as `quern serve` serves it, with the demo model.
// usage: node server_test.mjs QUERN FOLDER_OF_THE_BUILT_PAGE
import assert from 'node:assert/strict';
import {execFileSync, spawn} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {launch, openTab, problemsOf} from './browser.mjs';
import {ChatPage} from './chat_page.mjs';
import {Suite} from './harness.mjs';
import {statusError} from './page_suite.mjs';

const [quern, folder] = process.argv.slice(2);
const suite = new Suite();

async function serve(...options) {
  const process = spawn(quern, ['serve', 'demo', '--no-store', '--port', '0', '--slots', ...options], {stdio: ['ignore', 'inherit', 'pipe']});
  let said = '';
  const url = await new Promise((resolve, reject) => {
    process.stderr.on('data', (data) => {
      said += data;
      const match = /serving at (http:\/\/[\d.:]+)/.exec(said);
      if (match) resolve(match[1]);
    });
    process.on('exit', (code) => reject(new Error(`quern serve ended with ${code}: ${said}`)));
  });
  const stop = async () => {
    const ended = new Promise((resolve) => process.once('exit', resolve));
    process.kill('SIGTERM');
    return ended;
  };
  return {url, stop};
}

// run({page, tab, server}) on a server with these options.
function test(name, options, run, allowed = []) {
  suite.test(name, async ({context}) => {
    const server = await serve(...options);
    try {
      const tab = await openTab(context, `${server.url}/`, allowed);
      await run({page: new ChatPage(tab), tab, server});
      assert.deepEqual(await problemsOf(tab), []);
      await tab.close();
    } finally {
      assert.equal(await server.stop(), 0, 'exit status of quern serve');
    }
  });
}

async function set(tab, values) {
  await tab.locator('#open-settings').click();
  for (const [name, value] of Object.entries(values)) await tab.locator(`#field-${name}`).fill(String(value));
  await tab.keyboard.press('Escape');
}

const kQuestion = 'What is the capital of France?';

test('the page and its policy arrive as they were built', [], async ({tab, page, server}) => {
  await page.ready();
  const response = await fetch(`${server.url}/`, {headers: {Accept: 'text/html'}});
  assert.equal(response.headers.get('content-security-policy'), readFileSync(`${folder}/policy.txt`, 'utf8'));
  assert.equal(await response.text(), readFileSync(`${folder}/page.html`, 'utf8'));
  assert.equal(await tab.locator('#model').inputValue(), 'demo');
});

test('an answer is the one that the command line gives', [], async ({tab, page}) => {
  const {text, tokens} = JSON.parse(execFileSync(quern, ['run', 'demo', '-p', kQuestion, '--temp', '0', '-n', '64', '--json'], {encoding: 'utf8'}));
  assert.match(text, /Paris/);
  await page.ready();
  await set(tab, {temperature: 0, max_tokens: 64});
  await page.say(kQuestion);
  assert.deepEqual(await page.texts(), [kQuestion, text.trim()]);
  const [, count] = /([\d,]+) tokens$/.exec(await page.answer().locator('.figures').innerText());
  assert.ok(Math.abs(Number(count) - tokens.length) <= 1, `${count} tokens here, ${tokens.length} there`);
  assert.match(await page.answer().locator('.figures').innerText(), /tokens\/s/);
  await page.until(async () => /^\d+ \/ 512$/.test(await tab.locator('#gauge-text').innerText()), 'the context of the demo model');
  await page.button(page.answer(), 'Answer again').click();
  await page.finished();
  assert.deepEqual(await page.texts(), [kQuestion, text.trim()]);
});

// The reference backend is slow: an answer takes seconds.
test('stop frees the server', ['--backend', 'reference'], async ({tab, page, server}) => {
  await page.ready();
  await set(tab, {temperature: 1, seed: 1, repeat_penalty: 1.3, max_tokens: 400});
  const busy = async () => (await (await fetch(`${server.url}/slots`)).json()).some((slot) => slot.is_processing);
  let stopped = 0;
  // It may end by itself before the button is pressed.
  for (let i = 0; i < 5 && stopped === 0; ++i) {
    await tab.keyboard.press('Control+k');
    await page.ask('Tell me a long story about a mill, a river and a fox.');
    await tab.waitForFunction(() => document.querySelector('.message.assistant:last-child .markdown')?.textContent.length > 0 || document.querySelector('#stop').hidden);
    await tab.keyboard.press('Escape');
    await page.finished();
    stopped += await tab.evaluate(() => document.querySelector('#live').textContent === 'Stopped.');
    await page.until(async () => !(await busy()), 'the slot to be free');
  }
  assert.ok(stopped > 0, 'every answer ended before it could be stopped');
});

test('limits of length and context are told', [], async ({tab, page}) => {
  await page.ready();
  await set(tab, {temperature: 0, max_tokens: 3});
  await page.say(kQuestion);
  assert.match(await tab.locator('.note').innerText(), /Cut off: the answer reached the limit of 3 tokens/);
  await page.say('word '.repeat(2000));
  assert.match(await tab.locator('.note.bad').innerText(), /no longer fits into the model.s context/);
}, [statusError(400)]);

test('a key is asked for and holds', ['--api-key', 'sesame'], async ({tab, page}) => {
  await tab.getByRole('dialog', {name: 'API key'}).waitFor();
  await tab.locator('#key-input').fill('sesame');
  await tab.keyboard.press('Enter');
  await page.ready();
  await set(tab, {temperature: 0});
  await page.say(kQuestion);
  assert.match((await page.texts('assistant'))[0], /Paris/);
}, [statusError(401)]);

const {context, close} = await launch();
try {
  await suite.run(() => ({context}), () => {});
} finally {
  await close();
}
