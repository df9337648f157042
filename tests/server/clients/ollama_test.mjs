// The `ollama` package, unmodified, against `quern serve`.
import assert from 'node:assert/strict';
import { Ollama } from 'ollama';
import { base, keyed, question, run, running, test, until } from './harness.mjs';

const client = new Ollama({ host: base });
const model = 'demo';
const options = { temperature: 0 };
const refused = (promise, status, text) => assert.rejects(promise, (error) => {
  assert.equal(error.name, 'ResponseError');
  assert.equal(error.status_code, status, error.message);
  assert.match(error.message, text);
  return true;
});

test('chat', async () => {
  const answer = await client.chat({ model, messages: question, options });
  assert.match(answer.message.content, /Paris/);
  assert.equal(answer.message.role, 'assistant');
  assert.equal(answer.done_reason, 'stop');
  assert.ok(Math.abs(new Date(answer.created_at) - Date.now()) < 60000);
  for (const field of ['total_duration', 'load_duration', 'prompt_eval_count', 'prompt_eval_duration', 'eval_count', 'eval_duration'])
    assert.ok(Number.isInteger(answer[field]), field);
  let text = '';
  let last = null;
  for await (const part of await client.chat({ model, messages: question, options, stream: true })) {
    text += part.message.content;
    last = part;
  }
  assert.equal(text, answer.message.content);
  assert.equal(last.eval_count, answer.eval_count);
});

test('generate', async () => {
  const answer = await client.generate({ model, prompt: question[0].content, options });
  assert.match(answer.response, /Paris/);
  let text = '';
  for await (const part of await client.generate({ model, prompt: question[0].content, options, stream: true })) text += part.response;
  assert.equal(text, answer.response);
  const next = await client.generate({ model, prompt: 'And of Norway?', context: answer.context, options });
  assert.ok(next.context.length > answer.context.length);
  const raw = await client.generate({ model, prompt: 'Once upon', raw: true, options: { ...options, num_predict: 4, seed: 3 } });
  assert.equal(raw.eval_count, 4);
  const sure = await client.generate({ model, prompt: 'Hi', logprobs: true, top_logprobs: 2, options: { num_predict: 3 } });
  assert.equal(sure.logprobs.length, 3);
  assert.equal(sure.logprobs[0].top_logprobs.length, 2);
});

test('aborting ends the work', async () => {
  const stream = await client.generate({ model, prompt: 'Once', raw: true, stream: true, options: { temperature: 1, num_predict: 100000 } });
  await assert.rejects(async () => {
    for await (const part of stream) {
      assert.equal(part.done, false);
      stream.abort();
    }
  }, (error) => error.name === 'AbortError');
  await until(async () => (await running()) === 0, 'the generation went on');
});

test('embed', async () => {
  const one = await client.embed({ model, input: 'Hello' });
  const two = await client.embed({ model, input: ['Hello', 'Good bye'], truncate: true });
  assert.equal(two.embeddings.length, 2);
  assert.deepEqual(one.embeddings[0], two.embeddings[0]);
  assert.equal((await client.embed({ model, input: 'Hello', dimensions: 12 })).embeddings[0].length, 12);
  assert.deepEqual((await client.embeddings({ model, prompt: 'Hello' })).embedding, one.embeddings[0]);
});

test('pull, with progress', async () => {
  const seen = [];
  for await (const part of await client.pull({ model: 'tiny', stream: true })) seen.push(part);
  assert.equal(seen[0].status, 'pulling manifest');
  assert.equal(seen.at(-1).status, 'success');
  assert.ok(seen.some((part) => part.digest?.startsWith('sha256:') && part.total > 1e6 && part.completed === part.total));
  assert.equal((await client.pull({ model: 'tiny' })).status, 'success');
  assert.match((await client.chat({ model: 'tiny', messages: question, options })).message.content, /Paris/);
  await refused(client.pull({ model: 'not-there' }), 404, /not-there/);
  await assert.rejects(async () => {
    for await (const part of await client.pull({ model: 'not-there', stream: true })) assert.ok(part.status);
  }, /not-there/);
  await refused(client.pull({ model: 'tiny', insecure: true }), 400, /insecure/);
});

test('list, show, ps, copy, create, delete', async () => {
  const names = async () => (await client.list()).models.map((entry) => entry.name);
  assert.ok((await names()).includes('tiny:latest'));
  const entry = (await client.list()).models.find((m) => m.name === 'tiny:latest');
  assert.equal(entry.digest.length, 64);
  assert.equal(entry.details.family, 'llama');
  assert.ok(new Date(entry.modified_at) > new Date('2020-01-01'));
  const shown = await client.show({ model: 'tiny' });
  assert.equal(shown.model_info['general.architecture'], 'llama');
  assert.ok(shown.capabilities.includes('completion'));
  assert.match(shown.modelfile, /^FROM tiny:latest/m);

  await client.copy({ source: 'tiny', destination: 'copy' });
  const parts = [];
  for await (const part of await client.create({
    model: 'mario', from: 'copy', system: 'You are Mario.', parameters: { num_predict: 4, stop: ['END'] }, license: 'MIT', stream: true,
    messages: [{ role: 'user', content: 'Hi' }, { role: 'assistant', content: 'Hello' }],
  })) parts.push(part.status);
  assert.equal(parts.at(-1), 'success');
  const own = await client.show({ model: 'mario' });
  assert.equal(own.system, 'You are Mario.');
  assert.equal(own.license, 'MIT');
  assert.match(own.parameters, /num_predict +4/);
  assert.equal(own.messages.length, 2);
  const answer = await client.chat({ model: 'mario', messages: question, keep_alive: '5m' });
  assert.ok(answer.eval_count <= 4);
  const { models } = await client.ps();
  const loaded = models.find((m) => m.name === 'mario:latest');
  assert.ok(loaded.size > 1e6 && new Date(loaded.expires_at) > new Date());
  assert.equal((await client.create({ model: 'mario2', from: 'mario' })).status, 'success');

  for (const name of ['mario', 'mario2', 'copy', 'tiny']) await client.delete({ model: name });
  assert.deepEqual((await names()).filter((name) => name !== 'demo'), []);
  await refused(client.delete({ model: 'mario' }), 404, /not found/);
  await refused(client.show({ model: 'mario' }), 404, /not found/);
  await refused(client.copy({ source: 'mario', destination: 'x' }), 404, /not found/);
});

test('errors', async () => {
  await refused(client.chat({ model: 'nothing', messages: question }), 404, /nothing/);
  await refused(client.chat({ model, messages: question, options: { temperature: 'hot' } }), 400, /temperature/);
  await refused(client.chat({ model, messages: question, format: 'json' }), 400, /format/);
  await refused(client.chat({ model, messages: question, think: true }), 400, /think/);
  await refused(client.generate({ model, prompt: 'word '.repeat(20000) }), 400, /context/);
  await refused(new Ollama({ host: keyed }).list(), 401, /key/);
  const known = new Ollama({ host: keyed, headers: { Authorization: 'Bearer secret' } });
  assert.equal((await known.list()).models[0].name, 'demo');
});

test('version', async () => {
  assert.match((await client.version()).version, /^\d+\.\d+\.\d+$/);
});

await run();
