// A stand-in for the server: the field shapes of OpenAI's chat completions as llama-server answers them, with answers, delays and
// failures that a test chooses. It keeps the requests, so that a test can look at what the page really sent.
import {createServer} from 'node:http';
import {readFileSync} from 'node:fs';

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class MockServer {
  // folder: where the build put page.html and policy.txt
  constructor(folder) {
    this.page = readFileSync(`${folder}/page.html`);
    this.policy = readFileSync(`${folder}/policy.txt`, 'utf8');
    this.reset();
    this.server = createServer((request, response) => this.handle(request, response));
  }

  reset() {
    this.requests = [];   // bodies of chat completions
    this.headers = [];    // their headers
    this.cancelled = 0;   // streams that the client left
    this.key = null;      // if set, requests need it
    this.models = [{id: 'demo', object: 'model', created: 1, owned_by: 'quern', meta: {n_ctx: 4096}}, {id: 'other:7b-q4_K_M', object: 'model', created: 1, owned_by: 'quern', meta: {n_ctx_train: 32768}}];
    this.failures = [];   // [{status, body, headers}]: used up one by one, before chat completions
    this.modelFailures = [];  // the same for /v1/models
    this.answers = [];    // one for each request; see stream()
    this.timings = true;
    this.propsOf = [];    // the models whose properties were asked for
  }

  async start() {
    await new Promise((resolve) => this.server.listen(this.port ?? 0, '127.0.0.1', resolve));
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  json(response, status, body, headers = {}) {
    response.writeHead(status, {'Content-Type': 'application/json', ...headers});
    response.end(JSON.stringify(body));
  }

  async handle(request, response) {
    const path = request.url.split('?')[0];
    if (path === '/') {
      response.writeHead(200, {'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': this.policy});
      response.end(this.page);
      return;
    }
    if (this.key !== null && request.headers.authorization !== `Bearer ${this.key}`) {
      this.json(response, 401, {error: {message: 'Invalid API Key', type: 'authentication_error', code: 401}});
      return;
    }
    const failures = path === '/v1/models' ? this.modelFailures : path === '/v1/chat/completions' ? this.failures : [];
    if (failures.length > 0) {
      const {status, body, headers} = failures.shift();
      this.json(response, status, body, headers);
    } else if (path === '/v1/models') {
      this.json(response, 200, {object: 'list', data: this.models});
    } else if (path === '/props') {
      this.propsOf.push(new URL(request.url, this.url).searchParams.get('model'));
      this.json(response, 200, {default_generation_settings: {n_ctx: 2048, params: {temperature: 0.8, top_k: 40, top_p: 0.95}}});
    } else if (path === '/v1/chat/completions' && request.method === 'POST') {
      let text = '';
      for await (const piece of request) text += piece;
      const body = JSON.parse(text);
      this.requests.push(body);
      this.headers.push(request.headers);
      await this.stream(response, body, this.answers.shift() ?? {});
    } else {
      this.json(response, 404, {error: {message: 'File Not Found', type: 'not_found_error', code: 404}});
    }
  }

  // answer: {pieces or text, reasoning, delay (ms between pieces), finish, breakAfter (pieces, then the connection dies)}
  async stream(response, body, answer) {
    const pieces = answer.pieces ?? (answer.text ?? `You said: ${body.messages.at(-1).content}`).match(/\s*\S+/g) ?? [];
    let open = true;
    response.on('close', () => {
      if (!response.writableFinished) ++this.cancelled;
      open = false;
    });
    const chunk = (choices, more = {}) => `data: ${JSON.stringify({id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: body.model, choices, ...more})}\n\n`;
    const delta = (value, finish = null) => chunk([{index: 0, delta: value, finish_reason: finish, logprobs: null}]);
    response.writeHead(200, {'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache'});
    if (answer.hold) await answer.hold;
    response.write(delta({role: 'assistant', content: ''}));
    for (const piece of answer.reasoning ?? []) {
      response.write(delta({reasoning_content: piece}));
      await wait(answer.delay ?? 0);
    }
    for (const [i, piece] of pieces.entries()) {
      if (!open) return;
      if (answer.breakAfter === i) return void response.destroy();
      response.write(delta({content: piece}));
      if (answer.delay || i % 50 === 49) await wait(answer.delay ?? 0);
    }
    if (answer.error) {
      response.end(`data: ${JSON.stringify({error: answer.error})}\n\n`);
      return;
    }
    const prompt = JSON.stringify(body.messages).length;
    const usage = {prompt_tokens: prompt, completion_tokens: pieces.length, total_tokens: prompt + pieces.length};
    const timings = {cache_n: 5, prompt_n: prompt - 5, prompt_ms: 10, prompt_per_second: 512.3, predicted_n: pieces.length, predicted_ms: 100, predicted_per_second: 42.4};
    response.write(delta({}, answer.finish ?? 'stop'));
    response.end(`${chunk([], {usage, ...(this.timings ? {timings} : {})})}data: [DONE]\n\n`);
  }
}
