// One answer in the making: asks the server, takes the pieces, tries again where the server says when, and ends in a message
// that says how it ended.

import {ServerError, streamChat} from './api.mjs';
import {messagesTo, numbersOf} from './conversation.mjs';
import {formatNumber} from './gauge.mjs';

const kMaxRetries = 5;     // of a busy server, before the user is asked
const kSpeedEveryMs = 400;
const kSaveEveryMs = 2000;

// What may stop the wait before another try.
class Pause {
  constructor(seconds, onTick) {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    let left = seconds;
    onTick(left);
    this.timer = setInterval(() => (--left > 0 ? onTick(left) : this.resolve()), 1000);
    if (seconds <= 0) this.resolve();
  }
  async done() {
    try {
      await this.promise;
    } finally {
      clearInterval(this.timer);
    }
  }
}

export class Generation {
  // hooks: {changed(state), save(), needKey(text) -> whether there is one now, unreachable()}
  constructor(conversation, node, model, hooks) {
    this.conversation = conversation;
    this.node = node;
    this.model = model;
    this.hooks = hooks;
    this.abort = new AbortController();
    this.state = {phase: 'waiting', text: '', speed: 0};
    this.pause = null;
    this.saved = performance.now();
  }

  stop() {
    this.abort.abort();
    this.pause?.reject(new DOMException('stopped', 'AbortError'));
  }

  retryNow() {
    this.pause?.resolve();
  }

  // Never throws: what goes wrong is in the message.
  async run() {
    const {node, conversation} = this;
    node.model = this.model;
    if (conversation.samplers.max_tokens) node.limit = conversation.samplers.max_tokens;
    try {
      for (let tries = 0; ; ++tries) {
        if (await this.attempt(tries)) return;
      }
    } catch (error) {
      if (error.name === 'AbortError') {
        node.finish = 'stopped';
        return;
      }
      node.errorKind = error.kind ?? 'page';
      node.error = this.words(error);
      if (error.kind === 'unreachable') this.hooks.unreachable();
    } finally {
      this.measure(true);
    }
  }

  // True when the answer is complete; false to try once more; throws what cannot be helped.
  async attempt(tries) {
    const {conversation, node} = this;
    try {
      const body = {model: this.model, messages: messagesTo(conversation, node.parent), ...conversation.samplers};
      this.begun = performance.now();
      const {finish, usage, timings} = await streamChat(body, this.abort.signal, (piece) => this.take(piece));
      node.finish = finish ?? 'stop';
      if (usage) node.usage = numbersOf(usage);
      if (timings) node.timings = numbersOf(timings);
      return true;
    } catch (error) {
      if (error.kind === 'key' && (await this.hooks.needKey(error.message))) return false;
      const patient = (error.kind === 'busy' || error.kind === 'loading') && node.content === '';
      if (!patient || (error.kind === 'busy' && tries >= kMaxRetries)) throw error;
      await this.waitFor(error);
      return false;
    }
  }

  async waitFor(error) {
    const what = error.kind === 'loading' ? 'The model is being loaded.' : error.message;
    this.pause = new Pause(error.retrySeconds, (left) => this.tell({phase: 'retrying', text: `${what} Trying again in ${left} s\u2026`, speed: 0}));
    try {
      await this.pause.done();
    } finally {
      this.pause = null;
    }
    this.tell({phase: 'waiting', text: '', speed: 0});
  }

  tell(state) {
    this.state = state;
    this.hooks.changed(state);
  }

  take({content, reasoning}) {
    const {node} = this;
    const now = performance.now();
    if (this.state.phase !== 'answering') {
      this.first = this.measured = now;
      this.pieces = 0;
      this.state = {phase: 'answering', text: '', speed: 0};
    }
    ++this.pieces;
    if (reasoning !== '') node.reasoning = (node.reasoning ?? '') + reasoning;
    if (content !== '' && node.content === '' && node.reasoning) node.thinkSeconds = (now - this.first) / 1000;
    node.content += content;
    this.measure(false);
    this.hooks.changed(this.state);
    if (now - this.saved > kSaveEveryMs) {
      this.saved = now;
      this.hooks.save();
    }
  }

  // The speed as seen from here: a piece is a token, but for the few that come together. The first one begins the clock.
  measure(last) {
    const now = performance.now();
    if (!this.first || (!last && now - this.measured < kSpeedEveryMs)) return;
    this.measured = now;
    const seconds = (now - this.first) / 1000;
    const tokens = (last && this.node.usage?.completion_tokens) || this.pieces;
    if (tokens < 2 || seconds <= 0) return;
    const speed = (tokens - 1) / seconds;
    this.state = {...this.state, speed};
    if (last) this.node.speed = speed;
  }

  words(error) {
    if (error.kind === 'context') {
      const sizes = error.needed && error.size ? ` It has ${formatNumber(error.needed)} tokens; the model takes ${formatNumber(error.size)}.` : error.message ? ` (${error.message})` : '';
      return `The conversation no longer fits into the model\u2019s context.${sizes} Start a new chat, or edit an earlier message.`;
    }
    return error instanceof ServerError ? error.message : `The page failed: ${error.message}`;
  }
}
