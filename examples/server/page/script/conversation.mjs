// A conversation is a tree of messages: an edited question or a second answer is a new branch beside the old one, and nothing
// is lost. Plain data, as it is stored and exported:
//   {schema, id, title, created, updated, model, system, samplers, chosen, nodes: [{id, parent, role, content, chosen, ...}]}
// A node's parent stands before it in `nodes`, or is null. `chosen` is the id of the child that is shown, '' for the last one.

import {cleanSamplers} from './settings.mjs';

export const kSchema = 1;
const kMaxTitle = 60;

export const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');

export function newConversation({system, samplers, model}) {
  const now = Date.now();
  return {schema: kSchema, id: newId(), title: '', created: now, updated: now, model, system, samplers: {...samplers}, chosen: '', nodes: []};
}

export const nodeOf = (conversation, id) => conversation.nodes.find((node) => node.id === id);

const childrenOf = (conversation, parent) => conversation.nodes.filter((node) => node.parent === parent);

// The messages that are shown, first to last.
export function shownPath(conversation) {
  const children = new Map();
  for (const node of conversation.nodes) {
    if (!children.has(node.parent)) children.set(node.parent, []);
    children.get(node.parent).push(node);
  }
  const path = [];
  for (let parent = null, chosen = conversation.chosen; children.has(parent);) {
    const candidates = children.get(parent);
    const node = candidates.find(({id}) => id === chosen) ?? candidates.at(-1);
    path.push(node);
    parent = node.id;
    chosen = node.chosen;
  }
  return path;
}

// Which of its parent's branches the node is: {index, ids}.
export function branchesOf(conversation, node) {
  const ids = childrenOf(conversation, node.parent).map(({id}) => id);
  return {index: ids.indexOf(node.id), ids};
}

export function choose(conversation, id) {
  const node = nodeOf(conversation, id);
  const parent = node.parent === null ? conversation : nodeOf(conversation, node.parent);
  parent.chosen = id;
}

// Adds a message below `parent` (an id, or null for the first) and shows its branch.
export function addMessage(conversation, parent, role, content) {
  const node = {id: newId(), parent, role, content, created: Date.now(), chosen: ''};
  conversation.nodes.push(node);
  choose(conversation, node.id);
  conversation.updated = Date.now();
  if (role === 'user' && conversation.title === '') conversation.title = titleOf(content);
  return node;
}

function titleOf(text) {
  const line = text.trim().split('\n')[0].replace(/\s+/g, ' ');
  const characters = Array.from(line);
  return characters.length > kMaxTitle ? `${characters.slice(0, kMaxTitle - 1).join('').trimEnd()}\u2026` : line;
}

// Models whose reasoning the server does not take apart begin with <think>: [reasoning, the rest].
export function splitReasoning(content) {
  const open = /^\s*<think>\n?/.exec(content);
  if (!open) return ['', content];
  const end = content.indexOf('</think>', open[0].length);
  if (end < 0) return [content.slice(open[0].length), ''];
  return [content.slice(open[0].length, end), content.slice(end + '</think>'.length).trimStart()];
}

// The messages to send for an answer below `parent`.
export function messagesTo(conversation, parent) {
  const messages = [];
  for (let node = nodeOf(conversation, parent); node; node = node.parent === null ? null : nodeOf(conversation, node.parent)) {
    const content = node.role === 'assistant' ? splitReasoning(node.content)[1] : node.content;
    if (content !== '') messages.unshift({role: node.role, content});
  }
  if (conversation.system.trim() !== '') messages.unshift({role: 'system', content: conversation.system});
  return messages;
}

export function matchesSearch(conversation, words) {
  const text = [conversation.title, ...conversation.nodes.map(({content}) => content)].join('\n').toLocaleLowerCase();
  return words.toLocaleLowerCase().split(/\s+/).every((word) => text.includes(word));
}

const isText = (value) => typeof value === 'string';
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const asTime = (value) => (Number.isFinite(value) && value > 0 ? value : Date.now());

// `from`, which anybody may have written, as a conversation with known fields alone. Throws an Error that names the field.
export function checkedConversation(from) {
  if (!isObject(from)) throw new Error('not an object');
  if (from.schema !== kSchema) throw new Error(`schema is ${JSON.stringify(from.schema) ?? 'missing'}, known is ${kSchema}`);
  for (const name of ['id', 'title']) if (!isText(from[name])) throw new Error(`${name} is not a text`);
  if (!/^[\w-]{1,64}$/.test(from.id)) throw new Error('id has characters that an id has not');
  if (!Array.isArray(from.nodes)) throw new Error('nodes is not a list');
  const known = new Set();
  const nodes = from.nodes.map((node, i) => checkedNode(node, `nodes[${i}]`, known));
  return {
    schema: kSchema, id: from.id, title: from.title.slice(0, 200), created: asTime(from.created), updated: asTime(from.updated),
    model: isText(from.model) ? from.model : '', system: isText(from.system) ? from.system : '', samplers: cleanSamplers(from.samplers),
    chosen: isText(from.chosen) ? from.chosen : '', nodes,
  };
}

function checkedNode(node, where, known) {
  if (!isObject(node)) throw new Error(`${where} is not an object`);
  if (!isText(node.id) || !/^[\w-]{1,64}$/.test(node.id) || known.has(node.id)) throw new Error(`${where}.id is missing or not its own`);
  if (node.parent !== null && !known.has(node.parent)) throw new Error(`${where}.parent names no message before it`);
  if (node.role !== 'user' && node.role !== 'assistant') throw new Error(`${where}.role is ${JSON.stringify(node.role)}`);
  if (!isText(node.content)) throw new Error(`${where}.content is not a text`);
  known.add(node.id);
  const result = {id: node.id, parent: node.parent, role: node.role, content: node.content, created: asTime(node.created), chosen: isText(node.chosen) ? node.chosen : ''};
  for (const name of ['reasoning', 'model', 'finish', 'error', 'errorKind']) if (isText(node[name])) result[name] = node[name];
  for (const name of ['usage', 'timings']) if (isObject(node[name])) result[name] = numbersOf(node[name]);
  for (const name of ['thinkSeconds', 'speed', 'limit']) if (Number.isFinite(node[name])) result[name] = node[name];
  return result;
}

export function numbersOf(from) {
  return Object.fromEntries(Object.entries(from).filter(([name, value]) => name !== '__proto__' && Number.isFinite(value)));
}
