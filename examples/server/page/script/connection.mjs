// Whether the server is there, which models it has, and what it does by default. While it is not there, it is asked again.

import {listModels, ServerError, serverDefaults, storeKey} from './api.mjs';
import {askForKey, showBanner} from './notices.mjs';

const kFirstWait = 1000, kLongestWait = 10000;  // milliseconds between tries

export class Connection {
  // onModels(models), onDefaults()
  constructor({onModels, onDefaults}) {
    this.onModels = onModels;
    this.onDefaults = onDefaults;
    this.models = [];
    this.defaults = new Map();  // model -> {context, samplers}
    this.timer = null;
    this.wait = kFirstWait;
  }

  async connect() {
    clearTimeout(this.timer);
    try {
      this.models = await listModels();
      this.wait = kFirstWait;
      showBanner(this.models.length > 0 ? null : 'The server has no model yet. Get one with: quern pull NAME', this.again());
      this.onModels(this.models);
    } catch (error) {
      await this.failed(error);
    }
  }

  again() {
    return {action: {label: 'Try again', click: () => this.connect()}};
  }

  async failed(error) {
    if (!(error instanceof ServerError)) throw error;
    if (error.kind === 'key') {
      if (await this.askKey(error.message)) return this.connect();
      showBanner('Without an API key this server does not answer.', {bad: true, action: {label: 'Enter a key', click: () => this.connect()}});
      return;
    }
    if (error.kind === 'loading') showBanner('The model is being loaded. This can take a while\u2026');
    else showBanner(error.message, {bad: true, ...this.again()});
    const wait = error.retrySeconds ? Math.max(error.retrySeconds * 1000, 500) : this.wait;
    this.wait = Math.min(this.wait * 1.6, kLongestWait);
    this.timer = setTimeout(() => this.connect(), wait);
  }

  // True if the user gave a key.
  async askKey(text) {
    const key = await askForKey(text);
    if (key === null) return false;
    storeKey(key);
    return true;
  }

  // The size of `model`'s context in tokens, or null.
  context(model) {
    return this.models.find(({id}) => id === model)?.context ?? this.defaults.get(model)?.context ?? null;
  }

  samplers(model) {
    return this.defaults.get(model)?.samplers ?? {};
  }

  // `used`: the model has just answered, so it is loaded whatever the list said.
  async learnDefaults(model, used = false) {
    if (this.defaults.has(model) || !(used || this.models.find(({id}) => id === model)?.loaded)) return;
    try {
      this.defaults.set(model, await serverDefaults(model));
    } catch {
      return;  // a server without /props: the page works without it
    }
    this.onDefaults();
  }
}
