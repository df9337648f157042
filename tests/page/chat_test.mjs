// Talking: sending, streaming, stopping, editing, answering again, settings, and what is kept.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {PageSuite} from './page_suite.mjs';

const suite = new PageSuite();

suite.test('a message is sent and its answer streams in', async ({page, server}) => {
  let release;
  server.answers = [{pieces: ['Hello', ', wor', 'ld', '.'], hold: new Promise((resolve) => { release = resolve; })}];
  await page.ready();
  await page.ask('Hi there');
  await page.answer().locator('.waiting').waitFor();
  release();
  await page.finished();
  assert.deepEqual(await page.texts(), ['Hi there', 'Hello, world.']);
  const [body] = server.requests;
  assert.deepEqual(body, {model: 'demo', messages: [{role: 'user', content: 'Hi there'}], stream: true, stream_options: {include_usage: true}});
  assert.match(server.headers[0]['content-type'], /^application\/json/);
  assert.match(await page.answer().locator('.figures').innerText(), /42 tokens\/s \u00b7 4 tokens/);
  assert.equal(await page.text.inputValue(), '');
  await page.say('And again');
  assert.deepEqual(server.requests[1].messages.map(({role}) => role), ['user', 'assistant', 'user']);
});

suite.test('pieces show while the answer is still coming', async ({page, server, tab}) => {
  server.answers = [{pieces: Array.from({length: 200}, (_, i) => `word${i} `), delay: 20}];
  await page.ready();
  await page.ask('Go');
  await page.until(async () => /word5 /.test((await page.texts('assistant'))[0]), 'the first pieces');
  assert.equal(await tab.locator('#stop').isVisible(), true);
  assert.doesNotMatch((await page.texts('assistant'))[0], /word199/);
  await tab.keyboard.press('Escape');
  await page.finished();
});

suite.test('stop ends the answer and the request', async ({page, server, tab}) => {
  server.answers = [{pieces: Array.from({length: 500}, (_, i) => `word${i} `), delay: 20}];
  await page.ready();
  await page.ask('Go');
  await page.until(async () => /word3/.test((await page.texts('assistant'))[0]), 'some text');
  await tab.locator('#stop').click();
  await page.finished();
  await page.until(() => server.cancelled === 1, 'the server to see the client leave');
  const [kept] = await page.texts('assistant');
  assert.match(kept, /word3/);
  await page.say('Next');
  assert.equal(server.requests[1].messages[1].content.trim(), kept.trim());
});

suite.test('an edited message is a branch, and the old one stays', async ({page, server}) => {
  server.answers = [{text: 'First answer.'}, {text: 'Second answer.'}, {text: 'Third answer.'}];
  await page.ready();
  await page.say('One');
  await page.say('Two');
  const first = page.messages('user').first();
  await first.hover();
  await page.button(first, 'Edit message').click();
  const field = page.tab.getByRole('textbox', {name: 'Edit your message'});
  assert.equal(await field.inputValue(), 'One');
  await field.fill('Uno');
  await field.press('Enter');
  await page.finished();
  assert.deepEqual(await page.texts(), ['Uno', 'Third answer.']);
  assert.deepEqual(server.requests[2].messages, [{role: 'user', content: 'Uno'}]);
  const edited = page.messages('user').first();
  assert.match(await edited.locator('.branches').innerText(), /2\/2/);
  await page.button(edited, 'Previous version').click();
  assert.deepEqual(await page.texts(), ['One', 'First answer.', 'Two', 'Second answer.']);
  await page.button(page.messages('user').first(), 'Next version').click();
  assert.deepEqual(await page.texts(), ['Uno', 'Third answer.']);
});

suite.test('an edit can be given up with Escape', async ({page, server}) => {
  await page.ready();
  await page.say('One');
  await page.messages('user').first().hover();
  await page.button(page.messages('user').first(), 'Edit message').click();
  await page.tab.keyboard.type(' more');
  await page.tab.keyboard.press('Escape');
  assert.deepEqual((await page.texts('user')), ['One']);
  assert.equal(server.requests.length, 1);
});

suite.test('answers again are branches that survive a reload', async ({page, server, tab}) => {
  server.answers = [{text: 'Red.'}, {text: 'Green.'}, {text: 'Blue.'}, {text: 'After green.'}];
  await page.ready();
  await page.say('A colour?');
  for (let i = 0; i < 2; ++i) {
    await page.button(page.answer(), 'Answer again').click();
    await page.finished();
  }
  assert.deepEqual(server.requests[2], server.requests[0]);
  assert.deepEqual(await page.texts(), ['A colour?', 'Blue.']);
  assert.match(await page.answer().locator('.branches').innerText(), /3\/3/);
  await page.button(page.answer(), 'Previous version').click();
  assert.deepEqual(await page.texts(), ['A colour?', 'Green.']);
  await page.say('Why?');
  assert.deepEqual(server.requests[3].messages.map(({content}) => content), ['A colour?', 'Green.', 'Why?']);
  await page.reload();
  await page.ready();
  await tab.locator('.item .open').click();
  assert.deepEqual(await page.texts(), ['A colour?', 'Green.', 'Why?', 'After green.']);
  assert.match(await page.messages('assistant').first().locator('.branches').innerText(), /2\/3/);
  await page.button(page.messages('assistant').first(), 'Next version').click();
  assert.deepEqual(await page.texts(), ['A colour?', 'Blue.']);
});

suite.test('settings go into the request, and only those that are set', async ({page, server, tab}) => {
  await page.ready();
  await tab.locator('#open-settings').click();
  assert.equal(await tab.locator('#field-temperature').getAttribute('placeholder'), 'default (0.8)');
  const values = {temperature: 0.25, top_p: 0.9, top_k: 50, min_p: 0.05, repeat_penalty: 1.1, max_tokens: 77, seed: 42};
  for (const [name, value] of Object.entries(values)) await tab.locator(`#field-${name}`).fill(String(value));
  await tab.locator('#system').fill('Answer in rhymes.');
  await tab.getByRole('button', {name: 'Done'}).click();
  await page.say('Hi');
  const {messages, stream, stream_options: options, model, ...sent} = server.requests[0];
  assert.deepEqual(sent, values);
  assert.deepEqual(messages, [{role: 'system', content: 'Answer in rhymes.'}, {role: 'user', content: 'Hi'}]);
  await tab.locator('#open-settings').click();
  await tab.locator('#field-top_k').fill('');
  await tab.locator('#field-temperature').fill('9');
  assert.equal(await tab.locator('#field-temperature').getAttribute('aria-invalid'), 'true');
  await tab.keyboard.press('Escape');
  await page.reload();
  await page.ready();
  await page.say('Hi again');
  assert.equal('top_k' in server.requests[1], false);
  assert.equal('temperature' in server.requests[1], false);
  assert.equal(server.requests[1].seed, 42);
  await tab.locator('#open-settings').click();
  await tab.getByRole('button', {name: 'Back to defaults'}).click();
  await tab.keyboard.press('Escape');
  await page.say('Plain');
  assert.deepEqual(Object.keys(server.requests[2]).sort(), ['messages', 'model', 'stream', 'stream_options']);
  assert.equal(server.requests[2].messages[0].role, 'user');
});

suite.test('the chosen model is asked and remembered, and the gauge knows its context', async ({page, server, tab}) => {
  await page.ready();
  assert.match(await tab.locator('#gauge-text').innerText(), /0 \/ 4,096/);
  await tab.locator('#model').selectOption('other:7b-q4_K_M');
  await page.until(async () => /0 \/ 2,048/.test(await tab.locator('#gauge-text').innerText()), 'the context from /props');
  await page.say('Hi');
  assert.equal(server.requests[0].model, 'other:7b-q4_K_M');
  const used = JSON.stringify(server.requests[0].messages).length + 3;
  assert.match(await tab.locator('#gauge-text').innerText(), new RegExp(`^${used} / 2,048$`));
  await page.reload();
  await page.ready();
  assert.equal(await tab.locator('#model').inputValue(), 'other:7b-q4_K_M');
});

suite.test('a model that is not loaded is not asked about before it is used', async ({page, server, tab}) => {
  await page.ready();
  await tab.locator('#model').selectOption('asleep');
  await page.say('Hi');
  await page.until(async () => / \/ 2,048$/.test(await tab.locator('#gauge-text').innerText()), 'the context, once the model has answered');
  assert.deepEqual(server.propsOf, ['demo', 'asleep']);
}, {prepare: (server) => server.models.push({id: 'asleep', object: 'model', created: 1, owned_by: 'quern'})});

suite.test('the speed is measured where the server does not tell it', async ({page, server}) => {
  server.timings = false;
  server.answers = [{pieces: Array.from({length: 20}, () => 'x '), delay: 10}];
  await page.ready();
  await page.say('Hi');
  const speed = Number(/^([\d.]+) tokens\/s/.exec(await page.answer().locator('.figures').innerText())[1]);
  assert.ok(speed > 5 && speed < 105, `${speed} tokens/s of pieces that are at least 10 ms apart`);
});

suite.test('reasoning is folded away and not sent back', async ({page, server}) => {
  server.answers = [{reasoning: ['Let me ', 'think.'], text: 'Forty-two.'}, {text: '<think>\nHidden.\n</think>\nShown.'}, {text: 'ok'}];
  await page.ready();
  await page.say('Question');
  const details = page.answer().locator('details.reasoning');
  assert.equal(await details.evaluate((node) => node.open), false);
  assert.equal(await page.answer().locator('.body > .markdown').innerText(), 'Forty-two.');
  await details.locator('summary').click();
  assert.equal(await details.locator('.markdown').innerText(), 'Let me think.');
  await page.say('Another');
  assert.equal(await page.answer().locator('.body > .markdown').innerText(), 'Shown.');
  await page.say('Third');
  assert.deepEqual(server.requests[2].messages.map(({content}) => content), ['Question', 'Forty-two.', 'Another', 'Shown.', 'Third']);
});

suite.test('conversations: list, search, rename, delete, undo', async ({page, tab}) => {
  await page.ready();
  for (const text of ['Apples and pears', 'Bread', 'Cheese']) {
    await page.say(text);
    await tab.keyboard.press('Control+k');
  }
  const titles = () => tab.locator('.item .open').allInnerTexts();
  assert.deepEqual(await titles(), ['Cheese', 'Bread', 'Apples and pears']);
  await tab.locator('#search').fill('said: APPLES');
  assert.deepEqual(await titles(), ['Apples and pears']);
  await tab.locator('#search').fill('');
  await tab.getByRole('button', {name: 'Rename \u201cBread\u201d'}).focus();
  await tab.keyboard.press('Enter');
  await tab.keyboard.type('Loaves');
  await tab.keyboard.press('Enter');
  await tab.getByRole('button', {name: 'Delete \u201cCheese\u201d'}).focus();
  await tab.keyboard.press('Enter');
  assert.deepEqual(await titles(), ['Loaves', 'Apples and pears']);
  await tab.getByRole('button', {name: 'Undo'}).click();
  assert.deepEqual(await titles(), ['Cheese', 'Loaves', 'Apples and pears']);
  await tab.getByRole('button', {name: 'Delete \u201cApples and pears\u201d'}).focus();
  await tab.keyboard.press('Enter');
  await page.reload();
  await page.until(async () => (await titles()).length === 2, 'the stored conversations');
  assert.deepEqual(await titles(), ['Cheese', 'Loaves']);
});

suite.test('an answer goes on while another conversation is read', async ({page, server, tab}) => {
  server.answers = [{text: 'short'}, {pieces: Array.from({length: 60}, (_, i) => `w${i} `), delay: 20}];
  await page.ready();
  await page.say('First');
  await tab.keyboard.press('Control+k');
  await page.ask('Second');
  await page.until(async () => /w3/.test((await page.texts('assistant'))[0] ?? ''), 'some text');
  await tab.locator('.item .open', {hasText: 'First'}).click();
  assert.deepEqual(await page.texts(), ['First', 'short']);
  assert.equal(await tab.locator('#send').isVisible(), true);
  await tab.locator('.item .open', {hasText: 'Second'}).click();
  await page.finished();
  assert.match((await page.texts('assistant'))[0], /w59$/);
});

suite.test('what was written is exported and imported', async ({page, server, tab}) => {
  await page.ready();
  await page.say('Keep me');
  const [file] = await Promise.all([tab.waitForEvent('download'), tab.locator('#export').click()]);
  const text = readFileSync(await file.path(), 'utf8');
  const exported = JSON.parse(text);
  assert.equal(exported.format, 'quern-conversations');
  assert.deepEqual(exported.conversations[0].nodes.map(({role, content}) => [role, content]), [['user', 'Keep me'], ['assistant', 'You said: Keep me']]);
  await tab.getByRole('button', {name: 'Delete \u201cKeep me\u201d'}).focus();
  await tab.keyboard.press('Enter');
  const importText = (content) => tab.locator('#import-file').setInputFiles({name: 'x.json', mimeType: 'application/json', buffer: Buffer.from(content)});
  const toast = async (pattern) => page.until(async () => pattern.test((await tab.locator('.toast').allInnerTexts()).join()), String(pattern));
  await importText(text);
  await toast(/Imported 1 conversation/);
  await importText(text);
  await toast(/Imported 0 conversations; 1 were here already/);
  await tab.locator('.item .open').click();
  assert.deepEqual(await page.texts(), ['Keep me', 'You said: Keep me']);
  const [conversation] = exported.conversations;
  for (const [content, pattern] of [
    ['{', /not JSON/], ['[]', /no exported conversations/], [JSON.stringify({...exported, version: 9}), /version 9/],
    [JSON.stringify({...exported, conversations: [{...conversation, schema: 7}]}), /Conversation 1 of the file: schema is 7/],
    [JSON.stringify({...exported, conversations: [{...conversation, nodes: [{...conversation.nodes[0], parent: conversation.nodes[1].id}]}]}), /nodes\[0\].parent names no message/],
    [JSON.stringify({...exported, conversations: [{...conversation, nodes: [{...conversation.nodes[0], role: 'system'}]}]}), /nodes\[0\].role is "system"/],
  ]) {
    await importText(content);
    await toast(pattern);
  }
  assert.equal(server.requests.length, 1);
});

suite.test('a second tab sees what the first one wrote', async ({page, tab, server, context}) => {
  await page.ready();
  const other = await context.newPage();
  await other.goto(`${server.url}/`);
  await other.waitForFunction(() => !document.querySelector('#model').disabled);
  await page.say('Hello from one');
  await other.locator('.item .open', {hasText: 'Hello from one'}).waitFor();
  await other.close();
  assert.equal(await tab.locator('.item').count(), 1);
});

await suite.runAll();
