// What the page does when things go wrong, and that nothing which a model or a server says becomes more than text.
import assert from 'node:assert/strict';
import {PageSuite, refused, statusError} from './page_suite.mjs';

const suite = new PageSuite();
const error = (status, message, type, more = {}) => ({status, body: {error: {code: status, message, type, ...more}}});

suite.test('a server that wants a key gets it, and the key leaves with the tab', async ({page, tab, server, context}) => {
  const dialog = tab.getByRole('dialog', {name: 'API key'});
  await dialog.waitFor();
  await dialog.getByLabel('Key').fill('wrong');
  await tab.keyboard.press('Enter');
  await page.until(() => tab.locator('#key-input').inputValue().then((value) => value === ''), 'the question to come again');
  await dialog.getByText('did not accept the API key').waitFor();
  await dialog.getByLabel('Key').fill('sesame');
  await dialog.getByRole('button', {name: 'Use this key'}).click();
  await page.ready();
  await page.say('Hi');
  assert.equal(server.headers[0].authorization, 'Bearer sesame');
  await page.reload();
  await page.ready();
  assert.equal(await tab.evaluate(() => Object.values(localStorage).some((value) => value.includes('sesame'))), false);
  const other = await context.newPage();
  await other.goto(`${server.url}/`);
  await other.getByRole('dialog', {name: 'API key'}).waitFor();
  await other.close();
}, {prepare: (server) => { server.key = 'sesame'; }, allowed: [statusError(401)]});

suite.test('a key that is refused in the middle is asked for, and the message goes on', async ({page, tab, server}) => {
  await page.ready();
  server.key = 'new';
  await page.ask('Hi');
  await tab.getByRole('dialog', {name: 'API key'}).waitFor();
  await tab.locator('#key-input').fill('new');
  await tab.keyboard.press('Enter');
  await page.finished();
  assert.deepEqual(await page.texts(), ['Hi', 'You said: Hi']);
}, {allowed: [statusError(401)]});

suite.test('without a key the page says so and offers to enter one', async ({page, tab, server}) => {
  await tab.getByRole('dialog', {name: 'API key'}).waitFor();
  await tab.getByRole('button', {name: 'Cancel'}).click();
  await page.until(async () => /Without an API key/.test(await tab.locator('#banner').innerText()), 'the banner');
  server.key = null;
  await tab.getByRole('button', {name: 'Enter a key'}).click();
  await page.ready();
}, {prepare: (server) => { server.key = 'sesame'; }, allowed: [statusError(401)]});

suite.test('a busy server is asked again when it said', async ({page, tab, server}) => {
  server.failures = [{...error(503, 'All slots are taken.', 'unavailable_error'), headers: {'Retry-After': '2'}}];
  await page.ready();
  const begun = Date.now();
  await page.ask('Hi');
  await tab.locator('.note', {hasText: 'All slots are taken. Trying again in'}).waitFor();
  await page.finished();
  const took = Date.now() - begun;
  assert.ok(took >= 1900, `asked again after ${took} ms`);
  assert.deepEqual(await page.texts(), ['Hi', 'You said: Hi']);
  assert.equal(await tab.locator('.note').count(), 0);
}, {allowed: [statusError(503)]});

suite.test('the wait for a busy server can be cut short or given up', async ({page, tab, server}) => {
  const busy = {...error(503, 'Busy.', 'unavailable_error'), headers: {'Retry-After': '300'}};
  server.failures = [busy, busy];
  await page.ready();
  await page.ask('Hi');
  await tab.getByRole('button', {name: 'Try now'}).click();
  await page.until(() => server.failures.length === 0, 'the second try');
  await tab.locator('.note', {hasText: 'Trying again'}).waitFor();
  await tab.keyboard.press('Escape');
  await page.finished();
  await tab.getByRole('button', {name: 'Try again'}).click();
  await page.finished();
  assert.deepEqual(await page.texts(), ['Hi', 'You said: Hi']);
  assert.equal(await page.answer().locator('.branches').count(), 0);
}, {allowed: [statusError(503)]});

suite.test('a model that is being loaded is waited for', async ({page, tab}) => {
  await page.until(async () => /being loaded/.test(await tab.locator('#banner').innerText()), 'the banner');
  await page.ready();
  assert.equal(await tab.locator('#banner').isVisible(), false);
}, {prepare: (server) => { server.modelFailures = [{...error(503, 'Loading model', 'unavailable_error'), headers: {'Retry-After': '1'}}]; }, allowed: [statusError(503)]});

suite.test('a server that is gone is noticed, and its return too', async ({page, tab, server}) => {
  await page.ready();
  await server.stop();
  await page.say('Anyone there?');
  await tab.locator('.note.bad', {hasText: 'cannot be reached'}).waitFor();
  assert.equal(await tab.locator('#banner').isVisible(), true);
  await server.start();
  await page.until(async () => !(await tab.locator('#banner').isVisible()), 'the banner to go');
  await page.answer().getByRole('button', {name: 'Try again'}).click();
  await page.finished();
  assert.deepEqual(await page.texts(), ['Anyone there?', 'You said: Anyone there?']);
}, {allowed: [refused]});

suite.test('an answer that breaks off keeps what came', async ({page, tab, server}) => {
  server.answers = [{pieces: ['Half ', 'of ', 'it'], delay: 500, breakAfter: 2}];
  await page.ready();
  await page.say('Hi');
  assert.equal((await page.texts('assistant'))[0], 'Half of');
  await tab.locator('.note.bad', {hasText: 'lost before the answer was complete'}).waitFor();
}, {allowed: [refused]});

suite.test('an error inside the stream is shown', async ({page, tab, server}) => {
  server.answers = [{pieces: ['Some'], error: {code: 500, message: 'the model <b>failed</b>', type: 'server_error'}}];
  await page.ready();
  await page.say('Hi');
  await tab.locator('.note.bad', {hasText: 'the model <b>failed</b>'}).waitFor();
});

suite.test('a full context is explained', async ({page, tab, server}) => {
  server.failures = [error(400, 'the request exceeds the available context size', 'exceed_context_size_error', {n_prompt_tokens: 5000, n_ctx: 4096}),
    {status: 400, body: {error: {message: 'This model\'s maximum context length is 4096 tokens.', type: 'invalid_request_error', code: 'context_length_exceeded'}}}];
  await page.ready();
  await page.say('Long');
  await tab.locator('.note.bad', {hasText: 'It has 5,000 tokens; the model takes 4,096.'}).waitFor();
  await page.say('Long again');
  assert.match(await tab.locator('.note.bad').last().innerText(), /no longer fits.*maximum context length is 4096/);
}, {allowed: [statusError(400)]});

suite.test('a refused request says what the server said', async ({page, tab, server}) => {
  server.failures = [error(400, 'temperature: 9 is above 5', 'invalid_request_error'), {status: 500, body: 'not an error object'}];
  await page.ready();
  await page.say('Hi');
  await tab.locator('.note.bad', {hasText: 'temperature: 9 is above 5'}).waitFor();
  await page.say('Hi');
  await tab.locator('.note.bad', {hasText: 'The server failed (status 500).'}).waitFor();
}, {allowed: [statusError(400), statusError(500)]});

suite.test('an answer that is cut off says so', async ({page, tab, server}) => {
  server.answers = [{text: 'One two', finish: 'length'}];
  await page.ready();
  await page.say('Hi');
  await tab.locator('.note', {hasText: 'Cut off: the answer reached the server\u2019s limit'}).waitFor();
});

suite.test('a page that was left in the middle shows an interrupted answer', async ({page, tab, server}) => {
  server.answers = [{pieces: Array.from({length: 300}, (_, i) => `w${i} `), delay: 20}];
  await page.ready();
  await page.ask('Hi');
  await page.until(async () => /w5 /.test((await page.texts('assistant'))[0]), 'some text');
  await page.reload();
  await page.ready();
  await tab.locator('.item .open').click();
  await tab.locator('.note', {hasText: 'interrupted'}).waitFor();
}, {allowed: [refused]});

suite.test('no model: the page says how to get one', async ({page, tab}) => {
  await page.until(async () => /no model yet/.test(await tab.locator('#banner').innerText()), 'the banner');
  await page.ask('Hi');
  await tab.locator('.toast', {hasText: 'no model to ask'}).waitFor();
  assert.equal(await page.text.inputValue(), 'Hi');
}, {prepare: (server) => { server.models = []; }});

suite.test('a store that is full is reported, and the chat goes on', async ({page, tab}) => {
  await page.ready();
  await tab.evaluate(() => {
    IDBObjectStore.prototype.put = function () { throw new DOMException('full', 'QuotaExceededError'); };
  });
  await page.say('Hi');
  await tab.locator('.toast', {hasText: 'storage is full'}).waitFor();
  assert.deepEqual(await page.texts(), ['Hi', 'You said: Hi']);
});

suite.test('a browser without a store is told once, and the chat works', async ({page, tab, server}) => {
  await tab.addInitScript(() => { IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); }; });
  await tab.reload();
  await tab.locator('.toast', {hasText: 'keeps nothing for this page'}).waitFor();
  await page.ready();
  await page.say('Hi');
  assert.deepEqual(await page.texts(), ['Hi', 'You said: Hi']);
  assert.equal(server.requests.length, 1);
});

const kAttacks = [
  '<script>globalThis.hit = 1</script>', '<img src=x onerror="globalThis.hit = 1">', '<svg/onload=globalThis.hit=1>', '[click](javascript:globalThis.hit=1)', '<javascript:globalThis.hit=1>',
  '[click](JAVASCRIPT&#58;globalThis.hit=1)', '![x](https://evil.invalid/pixel.png)', '[x](data:text/html,<script>top.hit=1</script>)', '<iframe src="javascript:parent.hit=1"></iframe>', '<a href="javascript:globalThis.hit=1">x</a>',
  '```"><img src=x onerror=globalThis.hit=1>\ncode</code></pre><script>globalThis.hit=1</script>\n```', '| <img src=x onerror=globalThis.hit=1> |\n|---|\n| [x](javascript:globalThis.hit=1) |',
  '[a](https://ok.invalid/"onmouseover="globalThis.hit=1 "t\\" onclick=\\"globalThis.hit=1")', '<style>body{display:none}</style>', '<form action=https://evil.invalid><button>x</button></form>', '</textarea><script>globalThis.hit=1</script>',
];

suite.test('what a model, a server and a user write stays text', async ({page, tab, server}) => {
  server.answers = [{text: kAttacks.join('\n\n'), pieces: kAttacks.join('\n\n').match(/[\s\S]{1,7}/g), reasoning: kAttacks}];
  await page.ready();
  await page.say(kAttacks.join(' '));
  const links = await tab.locator('.thread a').evaluateAll((nodes) => nodes.map((node) => [node.protocol, node.rel, node.target]));
  assert.ok(links.length > 0);
  for (const [protocol, rel, target] of links) assert.deepEqual([protocol, rel.includes('noopener'), target], ['https:', true, '_blank']);
  assert.equal(await tab.locator('.thread :is(script, img, iframe, style, form, object, embed, base, meta)').count(), 0);
  assert.equal(await tab.locator('.thread :is([onerror], [onclick], [onload], [onmouseover])').count(), 0);
  for (const link of await tab.locator('.thread a').all()) await link.hover({force: true});
  assert.equal(await tab.evaluate(() => globalThis.hit), undefined);
  assert.equal(await tab.locator('#model option').first().innerText(), '<img src=x onerror=globalThis.hit=1>');
  await tab.getByRole('button', {name: /^Rename/}).focus();
  await tab.keyboard.press('Enter');
  await tab.locator('.item input').fill(kAttacks[1]);
  await tab.keyboard.press('Enter');
  assert.equal(await tab.locator('.item .open').innerText(), kAttacks[1]);
  await page.reload();
  await tab.locator('.item .open').click();
  assert.equal(await tab.locator('.thread a').count(), links.length);
  assert.equal(await tab.evaluate(() => globalThis.hit), undefined);
}, {prepare: (server) => { server.models = [{id: '<img src=x onerror=globalThis.hit=1>'}, {id: '"><script>globalThis.hit=1</script>'}]; }});

suite.test('the policy that comes with the page holds', async ({tab}) => {
  const done = await tab.evaluate(async () => {
    const result = {};
    const script = document.createElement('script');
    try {
      script.textContent = 'globalThis.injected = 1';
      document.body.append(script);
    } catch (thrown) {
      result.script = thrown.name;
    }
    try {
      document.body.innerHTML += '';
    } catch (thrown) {
      result.html = thrown.name;
    }
    await fetch('https://evil.invalid/').catch((thrown) => { result.fetch = thrown.name; });
    await new Promise((resolve) => setTimeout(resolve, 200));  // violations are told a little later
    result.injected = globalThis.injected;
    const seen = globalThis.violations.map((text) => text.split(' ')[0]);
    globalThis.violations = [];
    return {...result, seen};
  });
  assert.equal(done.injected, undefined);
  assert.deepEqual([done.script, done.html, done.fetch], ['TypeError', 'TypeError', 'TypeError']);
  assert.ok(done.seen.includes('connect-src') && done.seen.includes('require-trusted-types-for'), JSON.stringify(done));
}, {allowed: [/Content Security Policy|TrustedHTML|TrustedScript|Fetch API cannot load|trusted type/i]});

await suite.runAll();
