// The server, as the page sees it: the models, what it says of itself, and answers that arrive piece by piece.

import {eventData} from './events.mjs';

const kKeyName = 'quern.key';

// What went wrong, in words for the user. `kind`: unreachable, key, loading, busy, context, request, server, broken.
export class ServerError extends Error {
  constructor(kind, message, details = {}) {
    super(message);
    this.kind = kind;
    Object.assign(this, details);
  }
}

// The key lives as long as the tab: the next user of this browser does not get it.
export function storedKey() {
  try {
    return sessionStorage.getItem(kKeyName) ?? '';
  } catch {
    return '';
  }
}

let keyInMemory = null;

export function storeKey(key) {
  keyInMemory = key;
  try {
    sessionStorage.setItem(kKeyName, key);
  } catch {
    // Without storage it holds until the page is left.
  }
}

function headers() {
  const key = keyInMemory ?? storedKey();
  return key ? {Authorization: `Bearer ${key}`} : {};
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, {...options, headers: {...headers(), ...options.headers}, cache: 'no-store', credentials: 'same-origin'});
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ServerError('unreachable', 'The server cannot be reached. Is it still running?');
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

async function errorOf(response) {
  let error = {};
  try {
    const body = await response.json();
    error = typeof body.error === 'string' ? {message: body.error} : body.error ?? {};
  } catch {
    // Not JSON: the status alone has to do.
  }
  return serverError(response.status, error, retryAfter(response));
}

function retryAfter(response) {
  const value = response.headers.get('Retry-After');
  if (value === null) return null;
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(Math.ceil(seconds), 0), 600) : null;
}

function serverError(status, error, retrySeconds) {
  const said = String(error.message ?? '');
  const kinds = `${error.type ?? ''} ${error.code ?? ''}`;
  if (status === 401) return new ServerError('key', headers().Authorization ? 'The server did not accept the API key.' : 'This server wants an API key.');
  if (/context/.test(kinds) || (status === 400 && /context (size|length|window)/i.test(said))) {
    return new ServerError('context', said, {needed: error.n_prompt_tokens, size: error.n_ctx});
  }
  if (status === 503 && /loading/i.test(said)) return new ServerError('loading', 'The model is being loaded.', {retrySeconds: retrySeconds ?? 2});
  if (status === 503 || status === 429) return new ServerError('busy', said || 'The server is busy.', {retrySeconds: retrySeconds ?? 5});
  if (status >= 500) return new ServerError('server', said || `The server failed (status ${status}).`);
  return new ServerError('request', said || `The server refused the request (status ${status}).`);
}

// [{id, context, loaded}]: context is the model's size of context in tokens where the server tells it, else null. A server tells
// more of a model that is loaded (`meta`); to ask for the others' properties would load them.
export async function listModels() {
  const body = await (await request('v1/models')).json();
  const data = Array.isArray(body.data) ? body.data : [];
  return data.filter((model) => typeof model?.id === 'string' && model.id !== '').map(({id, meta}) => ({id, context: positive(meta?.n_ctx), loaded: Boolean(meta)}));
}

// {context, samplers}: what the server does where a request does not say. Both may be empty: not every server tells.
export async function serverDefaults(model) {
  const body = await (await request(`props?model=${encodeURIComponent(model)}`)).json();
  const defaults = body.default_generation_settings ?? {};
  return {context: positive(defaults.n_ctx ?? body.n_ctx), samplers: defaults.params ?? defaults};
}

const positive = (value) => (Number.isInteger(value) && value > 0 ? value : null);

// Streams one answer. onPiece({content, reasoning}) for each piece of it; returns {finish, usage, timings}.
export async function streamChat(body, signal, onPiece) {
  const response = await request('v1/chat/completions', {
    method: 'POST', signal, headers: {'Content-Type': 'application/json', Accept: 'text/event-stream'},
    body: JSON.stringify({...body, stream: true, stream_options: {include_usage: true}}),
  });
  const result = {finish: null, usage: null, timings: null};
  try {
    for await (const data of eventData(response.body)) {
      if (data === '[DONE]') return result;
      takeChunk(parseChunk(data), result, onPiece);
    }
  } catch (error) {
    if (error.name === 'AbortError' || error instanceof ServerError) throw error;
    throw new ServerError('broken', 'The connection was lost before the answer was complete.');
  }
  if (result.finish === null) throw new ServerError('broken', 'The answer ended before it was complete.');
  return result;
}

function parseChunk(data) {
  try {
    return JSON.parse(data);
  } catch {
    throw new ServerError('server', 'The server sent something that is not JSON.');
  }
}

function takeChunk(chunk, result, onPiece) {
  if (chunk.error) throw serverError(Number(chunk.error.code) || 500, chunk.error, null);
  const choice = chunk.choices?.[0];
  const text = (value) => (typeof value === 'string' ? value : '');
  const content = text(choice?.delta?.content);
  const reasoning = text(choice?.delta?.reasoning_content ?? choice?.delta?.reasoning);
  if (content !== '' || reasoning !== '') onPiece({content, reasoning});
  if (choice?.finish_reason) result.finish = choice.finish_reason;
  if (chunk.usage) result.usage = chunk.usage;
  if (chunk.timings) result.timings = chunk.timings;
}
