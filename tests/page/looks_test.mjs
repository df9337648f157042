// How the page shows: growing Markdown, speed, phone, colours, keyboard, and what axe-core says of its accessibility.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import spec from 'commonmark-spec';
import {PageSuite, statusError} from './page_suite.mjs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const suite = new PageSuite();

const kRich = `# Title\n\nSome **bold** and \`code\`, [a link](https://example.org).\n\n## List\n\n1. one\n2. two\n   - nested\n   - [x] done\n\n> a quote\n\n\`\`\`python\ndef f(x):\n    return ${'x + '.repeat(60)}1\n\`\`\`\n\n| Name | Number |\n|:--|--:|\n${'| a rather long cell with words in it | 12345 | \n'.repeat(3)}\n$$\nE = mc^2\n$$\n\nhttps://example.org/${'long'.repeat(40)} end.\n\n---\n\nDone.`;

// Pieces of 1 to `longest` characters, from a fixed sequence of pseudo-random numbers.
function inPieces(text, longest) {
  const pieces = [];
  for (let at = 0, state = 1; at < text.length;) {
    state = (state * 1103515245 + 12345) % 2147483648;
    const length = 1 + (state >> 8) % longest;
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return pieces;
}

suite.test('an answer that grew looks as if it had come at once', async ({page, server, tab}) => {
  const documents = [kRich];
  for (let i = 0; i < spec.tests.length; i += 60) documents.push(spec.tests.slice(i, i + 60).map(({markdown}) => markdown.replace(/\u2192/g, '\t')).join('\n\n'));
  server.answers = documents.map((text, i) => ({pieces: inPieces(text, 9), delay: 0, reasoning: i === 0 ? inPieces(kRich, 9) : undefined}));
  await page.ready();
  for (let i = 0; i < documents.length; ++i) await page.say(`Document ${i}`);
  const shown = () => tab.locator('.thread .markdown').evaluateAll((nodes) => nodes.map((node) => node.innerHTML));
  const grown = await shown();
  await page.reload();
  await page.ready();
  await tab.locator('.item .open').click();
  const whole = await shown();
  assert.equal(grown.length, documents.length + 1);
  grown.forEach((text, i) => assert.equal(text, whole[i]));
});

suite.test('text that is finished is not made again', async ({page, server, tab}) => {
  server.answers = [{pieces: ['First paragraph.\n\n- a\n- b\n\n```js\n', 'let x;\n', ...Array.from({length: 40}, (_, i) => `line ${i}\n`), '```\n\nLast.'], delay: 20}];
  await page.ready();
  await page.ask('Go');
  await page.until(() => tab.locator('pre').count().then((count) => count === 1), 'the block of code');
  await tab.evaluate(() => {
    for (const selector of ['.message.assistant p', '.message.assistant li', '.message.assistant pre', '.message.assistant code']) document.querySelector(selector).marked = true;
    globalThis.codeNode = document.querySelector('.message.assistant code').firstChild;
  });
  await page.finished();
  assert.deepEqual(await tab.evaluate(() => ['p', 'li', 'pre', 'code'].map((tag) => document.querySelector(`.message.assistant ${tag}`).marked)), [true, true, true, true]);
  assert.match(await tab.evaluate(() => globalThis.codeNode.data), /line 39\n$/);
});

suite.test('the page stays quick through 3,000 tokens', async ({page, server, tab}) => {
  const sentence = 'The **mill** grinds `grain` slowly, and the [stone](https://example.org) turns around and around again. ';
  const text = Array.from({length: 30}, (_, i) => `## Part ${i}\n\n${sentence.repeat(2)}\n\n- one thing\n- another thing\n\n\`\`\`c\nint f${i}(void) { return ${i}; }\n\`\`\`\n\n`).join('') + sentence.repeat(80);
  const words = text.match(/\s*\S{1,6}/g);
  const pieces = words.slice(0, 3000);
  assert.equal(pieces.length, 3000);
  server.answers = [{pieces, delay: 1}];
  await page.ready();
  await tab.evaluate(() => {
    globalThis.gaps = [];
    let last = performance.now();
    const tick = (now) => {
      globalThis.gaps.push(now - last);
      last = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await page.ask('Go');
  await tab.waitForFunction(() => document.querySelector('#stop').hidden, null, {timeout: 60000});
  const gaps = (await tab.evaluate(() => globalThis.gaps)).sort((a, b) => a - b);
  const median = gaps[gaps.length >> 1], worst = gaps.at(-1);
  console.log(`        ${gaps.length} frames, median ${median.toFixed(1)} ms, 99% ${gaps[Math.floor(gaps.length * 0.99)].toFixed(1)} ms, longest ${worst.toFixed(0)} ms`);
  assert.ok(median < 100, `the median frame took ${median} ms`);
  assert.ok(worst < 2000, `one frame took ${worst} ms`);
  assert.match(await page.answer().locator('.figures').innerText(), /3,000 tokens/);
});

suite.test('the view follows the text until the reader scrolls up', async ({page, server, tab}) => {
  server.answers = [{pieces: Array.from({length: 150}, (_, i) => `Line ${i}\n\n`), delay: 10}];
  await page.ready();
  await page.ask('Go');
  const distance = () => tab.evaluate(() => { const node = document.querySelector('#scroller'); return node.scrollHeight - node.scrollTop - node.clientHeight; });
  await page.until(async () => /Line 40/.test((await page.texts('assistant'))[0]), 'a screen of text');
  assert.ok(await distance() < 60, `it is ${await distance()} pixels behind`);
  await tab.mouse.move(700, 300);
  await tab.mouse.wheel(0, -400);
  await page.until(async () => await distance() > 200, 'the view to go up');
  const top = await tab.evaluate(() => document.querySelector('#scroller').scrollTop);
  await tab.waitForTimeout(300);
  assert.equal(await tab.evaluate(() => document.querySelector('#scroller').scrollTop), top);
  await tab.locator('#jump').click();
  await page.finished();
  assert.ok(await distance() < 60);
});

suite.test('everything can be done from the keyboard', async ({page, tab, server}) => {
  await page.ready();
  const focused = () => tab.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.id ?? document.activeElement.textContent);
  const fromTheTop = () => tab.evaluate(() => {
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute('tabindex');
  });
  assert.equal(await focused(), 'composer-text');
  await tab.keyboard.type('first line');
  await tab.keyboard.press('Shift+Enter');
  await tab.keyboard.type('second line');
  await tab.keyboard.press('Enter');
  await page.finished();
  assert.equal(server.requests[0].messages[0].content, 'first line\nsecond line');
  assert.equal(await focused(), 'composer-text');
  await tab.keyboard.press('Control+k');
  assert.deepEqual(await page.texts(), []);
  await fromTheTop();
  await tab.keyboard.press('Tab');
  assert.equal(await tab.evaluate(() => document.activeElement.className), 'skip');
  await tab.keyboard.press('Enter');
  assert.equal(await focused(), 'composer-text');
  const seen = [];
  await fromTheTop();
  for (let i = 0; i < 30; ++i) {
    await tab.keyboard.press('Tab');
    seen.push(await focused());
    const visible = await tab.evaluate(() => { const style = getComputedStyle(document.activeElement); return style.outlineStyle !== 'none' || document.activeElement.closest('.composer, .search') !== null; });
    assert.ok(visible || await tab.evaluate(() => document.activeElement === document.body), `no focus is to be seen on ${seen.at(-1)}`);
  }
  for (const name of ['new-chat', 'search', 'Rename \u201cfirst line\u201d', 'Delete \u201cfirst line\u201d', 'Import conversations', 'Export all conversations', 'model', 'Settings', 'composer-text']) {
    assert.ok(seen.includes(name), `Tab never came to ${name}: ${seen.join(', ')}`);
  }
  await tab.locator('#open-settings').focus();
  await tab.keyboard.press('Enter');
  assert.equal(await tab.locator('#settings').evaluate((node) => node.open), true);
  await tab.keyboard.press('Escape');
  assert.equal(await tab.locator('#settings').evaluate((node) => node.open), false);
  assert.equal(await focused(), 'Settings');
});

suite.test('screen readers hear of an answer, not of each token', async ({page, tab, server}) => {
  server.answers = [{pieces: Array.from({length: 40}, (_, i) => `w${i} `), delay: 5}];
  await page.ready();
  await tab.evaluate(() => {
    globalThis.said = [];
    new MutationObserver(() => globalThis.said.push(document.querySelector('#live').textContent)).observe(document.querySelector('#live'), {childList: true, subtree: true});
  });
  await page.say('Go');
  await page.until(async () => (await tab.evaluate(() => globalThis.said.length)) === 2, 'the end to be told');
  assert.deepEqual(await tab.evaluate(() => globalThis.said), ['The answer begins.', 'The answer is complete.']);
  const live = await tab.locator('.message.assistant').evaluate((node) => node.closest('[aria-live]:not([aria-live=off]), [role=log], [role=status], [role=alert]') === null);
  assert.equal(live, true);
});

suite.test('code can be copied', async ({page, server, tab, context}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], {origin: server.url});
  server.answers = [{text: '```make\nall:\n\tcc\n```'}];
  await page.ready();
  await page.say('Go');
  await tab.getByRole('button', {name: 'Copy', exact: true}).click();
  await tab.locator('.copy-code[data-copied=true]').waitFor();
  assert.equal(await tab.evaluate(() => navigator.clipboard.readText()), 'all:\n\tcc\n');
  await page.button(page.answer(), 'Copy message').click();
  await page.until(async () => (await tab.evaluate(() => navigator.clipboard.readText())) === '```make\nall:\n\tcc\n```', 'the message in the clipboard');
});

suite.test('on a phone nothing is wider than the screen, and the list is a drawer', async ({page, tab, server}) => {
  server.answers = [{text: kRich, reasoning: ['hm '.repeat(100)]}];
  server.failures = [{status: 400, body: {error: {message: 'x'.repeat(300), type: 'invalid_request_error'}}}];
  await tab.setViewportSize({width: 390, height: 844});
  await page.ready();
  const widths = () => tab.evaluate(() => [document.documentElement.scrollWidth, document.body.scrollWidth, document.querySelector('#scroller').scrollWidth, document.querySelector('#main').scrollWidth]);
  const fits = async (when) => (await widths()).forEach((width) => assert.ok(width <= 390, `${when}: ${width} pixels wide`));
  await fits('empty');
  await page.say('word'.repeat(120));
  await page.say('Go');
  await fits('with an answer');
  await page.messages('user').first().hover();
  await page.button(page.messages('user').first(), 'Edit message').click();
  await fits('while editing');
  await tab.keyboard.press('Escape');
  assert.equal(await tab.locator('#sidebar').isVisible(), false);
  await tab.locator('#toggle-sidebar').click();
  assert.equal(await tab.locator('#sidebar').isVisible(), true);
  assert.equal(await tab.locator('#main').evaluate((node) => node.inert), true);
  await fits('with the drawer');
  await tab.keyboard.press('Escape');
  assert.equal(await tab.locator('#sidebar').isVisible(), false);
  await tab.locator('#open-settings').click();
  await fits('with the settings');
  const small = await tab.locator('input:not([type=file]), textarea, select').evaluateAll((nodes) => nodes.filter((node) => parseFloat(getComputedStyle(node).fontSize) < 16).map((node) => node.id));
  assert.deepEqual(small, [], 'fields below 16 pixels make phones zoom in');
}, {allowed: [statusError(400)]});

suite.test('light and dark', async ({page, tab}) => {
  await page.ready();
  const dark = () => tab.evaluate(() => { const [r] = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number); return r < 100; });
  await tab.emulateMedia({colorScheme: 'dark'});
  assert.equal(await dark(), true);
  await tab.emulateMedia({colorScheme: 'light'});
  assert.equal(await dark(), false);
  const button = tab.locator('#theme');
  await button.click();
  assert.equal(await button.getAttribute('aria-label'), 'Colours: light');
  await button.click();
  assert.equal(await dark(), true);
  await tab.reload();
  assert.equal(await dark(), true);
  await button.click();
  assert.equal(await dark(), false);
});

async function axe(tab, when) {
  await tab.evaluate(axeSource);
  const {violations} = await tab.evaluate(() => globalThis.axe.run(document, {resultTypes: ['violations']}));
  const found = violations.flatMap(({id, nodes}) => nodes.map(({target, failureSummary}) => `${when}: ${id} ${target.join(' ')} ${failureSummary}`));
  assert.deepEqual(found, []);
}

for (const [name, scheme, width] of [['light', 'light', 1280], ['dark', 'dark', 1280], ['on a phone', 'light', 390]]) {
  suite.test(`axe-core finds nothing, ${name}`, async ({page, tab, server}) => {
    server.answers = [{text: kRich, reasoning: ['Thinking.']}, {text: 'x', finish: 'length'}];
    await tab.emulateMedia({colorScheme: scheme, reducedMotion: 'reduce'});
    await tab.setViewportSize({width, height: 844});
    await page.ready();
    await axe(tab, 'empty');
    await page.say('Go');
    await page.button(page.answer(), 'Answer again').click();
    await page.finished();
    await page.button(page.answer(), 'Previous version').click();
    await tab.locator('summary').click();
    server.failures = [{status: 500, body: {error: {message: 'broken', type: 'server_error'}}}];
    await page.say('Fail');
    await axe(tab, 'with messages');
    await tab.locator('#open-settings').click();
    await tab.locator('#field-seed').fill('-1');
    await axe(tab, 'with the settings');
    await tab.keyboard.press('Escape');
    if (width < 800) await tab.locator('#toggle-sidebar').click();
    await axe(tab, 'with the list');
  }, {allowed: [statusError(500)]});
}

await suite.runAll();
