// The parts of the page that need no browser: conversations as trees, settings, export and import, server-sent events.
// usage: node units_test.mjs FOLDER_OF_THE_SCRIPTS
import assert from 'node:assert/strict';
import {webcrypto} from 'node:crypto';
import {pathToFileURL} from 'node:url';
import {Suite} from './harness.mjs';

globalThis.crypto ??= webcrypto;  // node 18 has it under this name alone
const scripts = pathToFileURL(`${process.argv[2]}/`);
const load = (name) => import(new URL(name, scripts));
const {addMessage, branchesOf, checkedConversation, choose, matchesSearch, messagesTo, newConversation, shownPath, splitReasoning} = await load('conversation.mjs');
const {cleanSamplers, kFields, parseField} = await load('settings.mjs');
const {exportText, importText, newOnes} = await load('transfer.mjs');
const {eventData} = await load('events.mjs');
const suite = new Suite();
const plain = () => newConversation({system: '', samplers: {}, model: 'demo'});
const contents = (conversation) => shownPath(conversation).map(({content}) => content);

suite.test('branches: the newest is shown, and any can be chosen', () => {
  const chat = plain();
  const a = addMessage(chat, null, 'user', 'a');
  const b = addMessage(chat, a.id, 'assistant', 'b');
  const c = addMessage(chat, b.id, 'user', 'c');
  const d = addMessage(chat, a.id, 'assistant', 'd');
  assert.deepEqual(contents(chat), ['a', 'd']);
  assert.deepEqual(branchesOf(chat, d), {index: 1, ids: [b.id, d.id]});
  choose(chat, b.id);
  assert.deepEqual(contents(chat), ['a', 'b', 'c']);
  addMessage(chat, null, 'user', 'e');
  assert.deepEqual(contents(chat), ['e']);
  choose(chat, a.id);
  assert.deepEqual(contents(chat), ['a', 'b', 'c']);
  assert.deepEqual(messagesTo(chat, c.id).map(({content}) => content), ['a', 'b', 'c']);
  chat.system = 'be brief';
  assert.deepEqual(messagesTo(chat, a.id), [{role: 'system', content: 'be brief'}, {role: 'user', content: 'a'}]);
});

suite.test('an answer that failed is not sent back', () => {
  const chat = plain();
  const a = addMessage(chat, null, 'user', 'a');
  const failed = addMessage(chat, a.id, 'assistant', '');
  const b = addMessage(chat, failed.id, 'user', 'b');
  assert.deepEqual(messagesTo(chat, b.id), [{role: 'user', content: 'a'}, {role: 'user', content: 'b'}]);
});

suite.test('titles come from the first line and are short', () => {
  const chat = plain();
  addMessage(chat, null, 'user', `  ${'\u{1F600}'.repeat(80)}\nsecond line`);
  assert.equal(Array.from(chat.title).length, 60);
  assert.equal(chat.title.isWellFormed?.() ?? true, true);
});

suite.test('reasoning in the text is told apart', () => {
  assert.deepEqual(splitReasoning('plain'), ['', 'plain']);
  assert.deepEqual(splitReasoning('<think>\na\n</think>\n\nb'), ['a\n', 'b']);
  assert.deepEqual(splitReasoning('<think>still'), ['still', '']);
  assert.deepEqual(splitReasoning('later <think>x</think>'), ['', 'later <think>x</think>']);
});

suite.test('search looks at titles and texts, all words', () => {
  const chat = plain();
  addMessage(chat, null, 'user', 'Stra\u00dfe und Br\u00fccke');
  assert.equal(matchesSearch(chat, 'br\u00dcCKE stra\u00dfe'), true);
  assert.equal(matchesSearch(chat, 'br\u00fccke fluss'), false);
});

suite.test('a stored conversation is checked field by field', () => {
  const chat = plain();
  const a = addMessage(chat, null, 'user', 'a');
  addMessage(chat, a.id, 'assistant', 'b').usage = {prompt_tokens: 3, completion_tokens: 4, nested: {}};
  const record = JSON.parse(JSON.stringify(chat));
  const checked = checkedConversation({...record, extra: 1});
  assert.equal('extra' in checked, false);
  assert.deepEqual(checked.nodes[1].usage, {prompt_tokens: 3, completion_tokens: 4});
  const bad = (changes, pattern) => assert.throws(() => checkedConversation({...record, ...changes}), pattern);
  bad({schema: 2}, /schema is 2, known is 1/);
  bad({schema: undefined}, /schema is missing/);
  bad({id: '../x y'}, /id has characters/);
  bad({title: 5}, /title is not a text/);
  bad({nodes: {}}, /nodes is not a list/);
  bad({nodes: [null]}, /nodes\[0\] is not an object/);
  bad({nodes: [{...record.nodes[0], parent: record.nodes[0].id}]}, /nodes\[0\]\.parent names no message before it/);
  bad({nodes: [record.nodes[0], record.nodes[0]]}, /nodes\[1\]\.id is missing or not its own/);
  bad({nodes: [{...record.nodes[0], role: 'system'}]}, /role is "system"/);
  bad({nodes: [{...record.nodes[0], content: 7}]}, /content is not a text/);
  for (const value of [null, 1, 'x', []]) assert.throws(() => checkedConversation(value), /not an object/);
  const polluted = JSON.parse(`{"schema":1,"id":"x","title":"","nodes":[{"id":"__proto__","parent":null,"role":"user","content":"a","usage":{"__proto__":{"hit":1},"n":1}}],"samplers":{"__proto__":{"hit":1}}}`);
  checkedConversation(polluted);
  assert.equal({}.hit, undefined);
});

suite.test('export and import are inverse, and what is known stays out', () => {
  const chat = plain();
  addMessage(chat, null, 'user', 'a');
  const [back] = importText(exportText([chat]));
  assert.deepEqual(back, chat);
  assert.deepEqual(newOnes([back], [chat]), []);
  const other = JSON.parse(JSON.stringify(chat));
  addMessage(other, null, 'user', 'b');
  const [added] = newOnes([other], [chat]);
  assert.notEqual(added.id, chat.id);
  assert.equal(newOnes([other, other], []).length, 1);
});

suite.test('fields of the sampler', () => {
  const field = (name) => kFields.find((entry) => entry.name === name);
  assert.deepEqual(parseField(field('temperature'), ' 0,7 '), {value: 0.7});
  assert.deepEqual(parseField(field('temperature'), ''), {value: null});
  for (const [name, text] of [['temperature', '-1'], ['temperature', 'x'], ['temperature', 'Infinity'], ['temperature', 'NaN'], ['top_p', '1.1'], ['top_k', '1.5'], ['max_tokens', '0'], ['repeat_penalty', '0'], ['seed', '-1'], ['seed', '4294967296']]) {
    assert.ok(parseField(field(name), text).error, `${name} ${text}`);
  }
  assert.deepEqual(cleanSamplers({temperature: 0, top_k: '5', seed: 1e99, other: 1, min_p: null}), {temperature: 0});
  assert.deepEqual(cleanSamplers(null), {});
});

async function eventsOf(parts) {
  const bytes = parts.map((part) => (typeof part === 'string' ? new TextEncoder().encode(part) : part));
  const stream = new ReadableStream({start(controller) {
    bytes.forEach((part) => controller.enqueue(part));
    controller.close();
  }});
  const events = [];
  for await (const data of eventData(stream)) events.push(data);
  return events;
}

suite.test('server-sent events in any pieces', async () => {
  const text = ': a comment\n\ndata: {"a":"\u00fc\u{1F600}"}\n\nevent: x\ndata: one\ndata:two\r\n\r\nid: 5\n\ndata\n\ndata: [DONE]\n\n';
  const expected = ['{"a":"\u00fc\u{1F600}"}', 'one\ntwo', '[DONE]'];
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size <= bytes.length; ++size) {
    const parts = [];
    for (let at = 0; at < bytes.length; at += size) parts.push(bytes.slice(at, at + size));
    assert.deepEqual(await eventsOf(parts), expected, `pieces of ${size} bytes`);
  }
  assert.deepEqual(await eventsOf(['data: last']), ['last']);
  assert.deepEqual(await eventsOf([]), []);
  await assert.rejects(eventsOf(['data: ', 'x'.repeat(17 * 1024 * 1024)]), /without an end/);
});

await suite.run(() => ({}), () => {});
