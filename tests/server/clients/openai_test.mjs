// The `openai` package, unmodified, against `quern serve`.
import assert from 'node:assert/strict';
import http from 'node:http';
import OpenAI from 'openai';
import { base, keyed, question, rejected, run, running, test, until } from './harness.mjs';

const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'none', maxRetries: 0 });
const model = 'demo';
const greedy = { model, messages: question, temperature: 0 };

test('chat', async () => {
  const answer = await client.chat.completions.create(greedy);
  assert.equal(answer.object, 'chat.completion');
  assert.match(answer.id, /^chatcmpl-/);
  assert.equal(answer.model, model);
  assert.ok(Math.abs(answer.created - Date.now() / 1000) < 60);
  assert.equal(answer.choices.length, 1);
  assert.equal(answer.choices[0].message.role, 'assistant');
  assert.match(answer.choices[0].message.content, /Paris/);
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test('a stream says what the whole answer says', async () => {
  const whole = await client.chat.completions.create(greedy);
  const stream = await client.chat.completions.create({ ...greedy, stream: true, stream_options: { include_usage: true } });
  let text = '';
  const reasons = [];
  let usage = null;
  for await (const chunk of stream) {
    assert.equal(chunk.object, 'chat.completion.chunk');
    text += chunk.choices[0]?.delta?.content ?? '';
    if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason);
    if (chunk.usage) usage = chunk.usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.deepEqual(reasons, ['stop']);
  assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
});

test('the stream helper', async () => {
  const stream = client.chat.completions.stream({ ...greedy });
  let deltas = '';
  stream.on('content', (delta) => { deltas += delta; });
  const answer = await stream.finalChatCompletion();
  assert.match(answer.choices[0].message.content, /Paris/);
  assert.equal(deltas, answer.choices[0].message.content);
});

test('logprobs', async () => {
  const answer = await client.chat.completions.create({ ...greedy, max_tokens: 5, logprobs: true, top_logprobs: 4 });
  const { content } = answer.choices[0].logprobs;
  assert.equal(content.length, 5);
  for (const entry of content) {
    assert.ok(entry.logprob <= 0);
    assert.equal(entry.top_logprobs.length, 4);
    assert.equal(entry.top_logprobs[0].token, entry.token); // greedy
    assert.equal(Buffer.from(entry.bytes).toString(), entry.token);
  }
  assert.equal(content.map((entry) => entry.token).join(''), answer.choices[0].message.content);
  assert.equal(answer.choices[0].finish_reason, 'length');
});

test('n, seed and stop', async () => {
  const tale = [{ role: 'user', content: 'Tell me about a dragon, a teapot and the sea.' }];
  const several = { model, messages: tale, temperature: 2, top_p: 1, n: 3, seed: 11, max_tokens: 24 };
  const one = await client.chat.completions.create(several);
  const two = await client.chat.completions.create(several);
  assert.deepEqual(one.choices.map((c) => c.index), [0, 1, 2]);
  assert.deepEqual(one.choices.map((c) => c.message.content), two.choices.map((c) => c.message.content));
  assert.ok(new Set(one.choices.map((c) => c.message.content)).size > 1);
  const texts = ['', '', ''];
  for await (const chunk of await client.chat.completions.create({ ...several, stream: true })) {
    for (const choice of chunk.choices) texts[choice.index] += choice.delta.content ?? '';
  }
  assert.deepEqual(texts, one.choices.map((c) => c.message.content));
  const stopped = await client.chat.completions.create({ ...greedy, stop: ['Paris'] });
  assert.ok(!stopped.choices[0].message.content.includes('Paris'));
  assert.equal(stopped.choices[0].finish_reason, 'stop');
});

test('completions', async () => {
  const plain = { model, prompt: 'Once upon a time', max_tokens: 8, temperature: 0 };
  const answer = await client.completions.create({ ...plain, logprobs: 2 });
  assert.equal(answer.object, 'text_completion');
  assert.equal(answer.usage.completion_tokens, 8);
  assert.equal(answer.choices[0].logprobs.tokens.length, 8);
  assert.equal(answer.choices[0].logprobs.tokens.join(''), answer.choices[0].text);
  let text = '';
  for await (const chunk of await client.completions.create({ ...plain, stream: true })) text += chunk.choices[0].text;
  assert.equal(text, answer.choices[0].text);
  const both = await client.completions.create({ ...plain, prompt: ['Once upon a time', 'The cat'], echo: true });
  assert.equal(both.choices.length, 2);
  assert.equal(both.choices[0].text, 'Once upon a time' + text);
  assert.ok(both.choices[1].text.startsWith('The cat'));
});

test('embeddings, as numbers and as base64', async () => {
  // Without encoding_format the client asks for base64 and decodes it.
  const decoded = await client.embeddings.create({ model, input: ['Hello', 'Good bye'] });
  const numbers = await client.embeddings.create({ model, input: ['Hello', 'Good bye'], encoding_format: 'float' });
  const text = await client.embeddings.create({ model, input: 'Hello', encoding_format: 'base64' });
  assert.equal(decoded.data.length, 2);
  assert.equal(decoded.data[1].index, 1);
  const close = (a, b) => a.length === b.length && a.every((x, i) => Math.abs(x - b[i]) < 1e-6);
  assert.ok(close(decoded.data[0].embedding, numbers.data[0].embedding));
  const bytes = Buffer.from(text.data[0].embedding, 'base64');
  const floats = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
  assert.ok(close(floats, numbers.data[0].embedding));
  assert.ok(Math.abs(floats.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-4);
  const short = await client.embeddings.create({ model, input: 'Hello', dimensions: 16 });
  assert.equal(short.data[0].embedding.length, 16);
  assert.ok(numbers.usage.prompt_tokens > text.usage.prompt_tokens);
});

test('models', async () => {
  const models = [];
  for await (const entry of client.models.list()) models.push(entry);
  assert.ok(models.some((entry) => entry.id === model && entry.object === 'model'));
  assert.equal((await client.models.retrieve(model)).id, model);
  await rejected(client.models.retrieve('nothing'), OpenAI.NotFoundError, (e) => e.code === 'model_not_found');
});

test('typed errors', async () => {
  await rejected(client.chat.completions.create({ ...greedy, model: 'nothing' }), OpenAI.NotFoundError, (e) => e.status === 404 && /nothing/.test(e.message));
  await rejected(client.chat.completions.create({ ...greedy, max_tokens: -7 }), OpenAI.BadRequestError, (e) => e.param === 'max_tokens' && e.type === 'invalid_request_error');
  await rejected(client.chat.completions.create({ ...greedy, n: 1.5 }), OpenAI.BadRequestError, (e) => e.param === 'n');
  await rejected(client.chat.completions.create({ ...greedy, messages: [] }), OpenAI.BadRequestError, (e) => e.param === 'messages');
  await rejected(client.chat.completions.create({ ...greedy, tools: [{ type: 'function', function: { name: 'f' } }] }), OpenAI.BadRequestError, (e) => /tools/.test(e.message));
  await rejected(client.chat.completions.create({ ...greedy, response_format: { type: 'json_object' } }), OpenAI.BadRequestError);
  const long = [{ role: 'user', content: 'word '.repeat(20000) }];
  await rejected(client.chat.completions.create({ ...greedy, messages: long }), OpenAI.BadRequestError, (e) => e.code === 'context_length_exceeded');
  await rejected(client.chat.completions.create({ ...greedy, messages: long, stream: true }), OpenAI.BadRequestError, (e) => e.code === 'context_length_exceeded');
});

test('keys', async () => {
  const ask = (apiKey) => new OpenAI({ baseURL: `${keyed}/v1`, apiKey, maxRetries: 0 }).chat.completions.create({ ...greedy, max_tokens: 1 });
  await rejected(ask('wrong'), OpenAI.AuthenticationError, (e) => e.status === 401 && e.code === 'invalid_api_key');
  assert.equal((await ask('secret')).usage.completion_tokens, 1);
});

test('503 is tried again', async () => {
  // A proxy that answers the first request with what a busy server answers: the status and Retry-After of a real one.
  let n = 0;
  const proxy = http.createServer((request, response) => {
    n += 1;
    if (n === 1) {
      response.writeHead(503, { 'Retry-After': '1', 'Content-Type': 'application/json' });
      response.end('{"error":{"message":"busy","type":"unavailable_error","param":null,"code":"busy"}}');
      return;
    }
    const headers = { ...request.headers, host: new URL(base).host };
    request.pipe(http.request(base + request.url, { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    }));
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const patient = new OpenAI({ baseURL: `http://127.0.0.1:${proxy.address().port}/v1`, apiKey: 'none', maxRetries: 2 });
  const answer = await patient.chat.completions.create({ ...greedy, max_tokens: 1 });
  assert.equal(answer.usage.completion_tokens, 1);
  assert.equal(n, 2);
  proxy.closeAllConnections();
  proxy.close();
});

test('a full queue is 503 with a time to come again', async () => {
  // The other server computes one answer at a time, and one more may wait.
  const small = new OpenAI({ baseURL: `${keyed}/v1`, apiKey: 'secret', maxRetries: 0 });
  const long = { model, prompt: 'Once', temperature: 1, seed: 1, max_tokens: 400, stop: ['\u0001'] };
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => small.completions.create(long)));
  const refused = results.filter((r) => r.status === 'rejected').map((r) => r.reason);
  assert.ok(refused.length > 0 && refused.length < 8, `${refused.length} of 8 refused`);
  for (const error of refused) {
    assert.ok(error instanceof OpenAI.InternalServerError && error.status === 503, `${error}`);
    assert.ok(Number(error.headers.get('retry-after')) >= 1);
  }
  // Who comes again gets through.
  const patient = new OpenAI({ baseURL: `${keyed}/v1`, apiKey: 'secret', maxRetries: 5 });
  const all = await Promise.all(Array.from({ length: 6 }, () => patient.completions.create({ ...long, max_tokens: 20 })));
  assert.ok(all.every((answer) => answer.choices[0].text === all[0].choices[0].text));
});

test('aborting a stream ends the work', async () => {
  const long = { model, prompt: 'Once', max_tokens: 100000, temperature: 1, stream: true };
  const stream = await client.completions.create(long);
  for await (const chunk of stream) {
    assert.equal(chunk.object, 'text_completion');
    break; // which aborts
  }
  await until(async () => (await running()) === 0, 'the generation went on');
  const controller = new AbortController();
  const whole = client.completions.create({ ...long, stream: false }, { signal: controller.signal });
  setTimeout(() => controller.abort(), 50);
  await rejected(whole, OpenAI.APIUserAbortError);
  await until(async () => (await running()) === 0, 'the generation went on');
});

await run();
