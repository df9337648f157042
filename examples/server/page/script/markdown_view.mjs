// Shows Markdown that grows. Each update parses from the last block that may still change, and touches only elements whose
// source changed: finished paragraphs keep their elements, an open block of code gets the new characters alone.

import {parseBlocks} from './blocks.mjs';
import {copyText, element, icon} from './dom.mjs';

const kTags = {emphasis: 'em', strong: 'strong', deleted: 'del'};

function inlineElements(nodes) {
  return nodes.map((node) => {
    switch (node.type) {
      case 'text': return document.createTextNode(node.text);
      case 'break': return element('br');
      case 'code': return element('code', {}, node.text);
      case 'math': return element('span', {class: 'math'}, node.text);
      case 'link': return linkElement(node);
      default: return element(kTags[node.type], {}, inlineElements(node.children));
    }
  });
}

// Images are links: the page loads nothing that a model names.
function linkElement({href, title, image, children}) {
  const inside = inlineElements(children);
  if (href === null) return element('span', {}, inside);
  return element('a', {href, title: title || null, rel: 'noopener noreferrer nofollow', target: '_blank', class: image ? 'image' : null}, inside);
}

function codeElement(language) {
  const text = document.createTextNode('');
  const code = element('code', {}, text);
  const label = element('span', {class: 'code-language'}, language || 'text');
  const button = element('button', {type: 'button', class: 'copy-code', on: {click: () => copyText(text.data, button)}}, icon('copy'), 'Copy');
  const pre = element('pre', {tabindex: '0', role: 'region', 'aria-label': language ? `Code, ${language}` : 'Code'}, code);
  return {dom: element('div', {class: 'code-block'}, element('div', {class: 'code-head'}, label, button), pre), text};
}

function cellElement(tag, align) {
  return (nodes, i) => element(tag, {class: align[i] ? `align-${align[i]}` : null, scope: tag === 'th' ? 'col' : null}, inlineElements(nodes));
}

const rowElement = (align) => (row) => element('tr', {}, row.cells.map(cellElement('td', align)));

// A view is {block, dom, ...}: what is shown for a block, with the views inside it.
function makeView(block) {
  switch (block.type) {
    case 'paragraph': return {block, dom: element('p', {}, inlineElements(block.inline))};
    // Headings of an answer stand below the page's own, which are of levels 1 and 2.
    case 'heading': return {block, dom: element(`h${Math.min(block.level + 2, 6)}`, {class: `h${block.level}`}, inlineElements(block.inline))};
    case 'rule': return {block, dom: element('hr')};
    case 'math': return {block, dom: element('div', {class: 'math-block', tabindex: '0', role: 'region', 'aria-label': 'Formula'}, block.text)};
    case 'code': {
      const view = {block, ...codeElement(block.language)};
      view.text.data = block.text;
      return view;
    }
    case 'quote': {
      const view = {block, dom: element('blockquote'), inside: []};
      updateViews(view.dom, view.inside, block.children);
      return view;
    }
    case 'list': {
      const view = {block, dom: element(block.ordered ? 'ol' : 'ul', {start: block.ordered && block.start !== 1 ? block.start : null}), inside: []};
      updateList(view, block);
      return view;
    }
    default: {
      const head = element('tr', {}, block.head.map(cellElement('th', block.align)));
      const body = element('tbody', {}, block.rows.map(rowElement(block.align)));
      const table = element('table', {}, element('thead', {}, head), body);
      return {block, body, dom: element('div', {class: 'table', tabindex: '0', role: 'region', 'aria-label': 'Table'}, table)};
    }
  }
}

function updateList(view, block) {
  if (block.tight) view.dom.className = 'tight';
  else view.dom.removeAttribute('class');
  const {inside} = view;
  block.items.forEach((item, i) => {
    const old = inside[i];
    if (old && old.source === item.source && !old.open && !item.open) return;
    if (old && old.task === item.task) {
      Object.assign(old, {source: item.source, open: item.open});
      updateViews(old.dom, old.inside, item.children);
      return;
    }
    const box = item.task === null ? null : element('span', {class: 'task', role: 'img', 'aria-label': item.task ? 'Done' : 'To do'}, item.task ? '\u2611' : '\u2610');
    const dom = element('li', {class: box ? 'has-task' : null}, box);
    const next = {source: item.source, open: item.open, task: item.task, dom, inside: []};
    updateViews(dom, next.inside, item.children);
    if (old) old.dom.replaceWith(dom);
    else view.dom.append(dom);
    inside[i] = next;
  });
  while (inside.length > block.items.length) inside.pop().dom.remove();
}

function updateTable(view, block) {
  const old = view.block.rows;
  block.rows.forEach((row, i) => {
    if (old[i]?.source === row.source && !old[i].open && !row.open) return;
    const next = rowElement(block.align)(row);
    if (view.body.rows[i]) view.body.rows[i].replaceWith(next);
    else view.body.append(next);
  });
  while (view.body.rows.length > block.rows.length) view.body.rows[block.rows.length].remove();
}

// Brings `view` to `block`; false where it must be made anew.
function updateView(view, block) {
  const old = view.block;
  if (old.type !== block.type) return false;
  if (old.source === block.source && !old.open && !block.open && old.text === block.text && old.tight === block.tight) return true;
  if (block.type === 'code' && old.language === block.language) {
    const grown = block.text.startsWith(old.text);
    if (grown && block.text !== old.text) view.text.appendData(block.text.slice(old.text.length));
    else if (!grown) view.text.data = block.text;
    return true;
  }
  if (block.type === 'list' && old.ordered === block.ordered && old.start === block.start) updateList(view, block);
  else if (block.type === 'quote') updateViews(view.dom, view.inside, block.children);
  else if (block.type === 'table' && old.headSource === block.headSource) updateTable(view, block);
  else if (block.type === 'paragraph') view.dom.replaceChildren(...inlineElements(block.inline));
  else return false;
  return true;
}

// Brings the views of `parent` from index `first` on to `blocks`.
function updateViews(parent, views, blocks, first = 0) {
  blocks.forEach((block, i) => {
    const view = views[first + i];
    if (view && updateView(view, block)) {
      view.block = block;
      return;
    }
    const next = makeView(block);
    if (view) view.dom.replaceWith(next.dom);
    else parent.append(next.dom);
    views[first + i] = next;
  });
  while (views.length > first + blocks.length) views.pop().dom.remove();
}

export class MarkdownView {
  constructor(root) {
    this.root = root;
    this.views = [];
    this.text = '';
    this.streaming = false;
    this.base = 0;         // where in the text the first block begins that may still change
    this.finished = 0;     // how many views lie before it
  }

  // Shows `text`. Text that goes on from that of the last update costs only what is new and the last block.
  update(text, streaming) {
    const plain = text.replace(/\r\n?/g, '\n');
    if (plain === this.text && streaming === this.streaming) return;
    this.streaming = streaming;
    if (!plain.startsWith(this.text) || !streaming) {
      this.base = 0;
      this.finished = 0;
    }
    this.text = plain;
    const open = plain.slice(this.base);
    const blocks = parseBlocks(open, {streaming});
    updateViews(this.root, this.views, blocks, this.finished);
    if (streaming) this.finish(open, blocks);
  }

  // A block cannot change any more once another begins below it on a line that is complete.
  finish(open, blocks) {
    const lines = open.split('\n');
    let last = blocks.length - 1;
    while (last > 0 && blocks[last].from >= lines.length - 1) --last;
    if (last <= 0) return;
    this.finished += last;
    this.base += lines.slice(0, blocks[last].from).reduce((sum, line) => sum + line.length + 1, 0);
  }
}
