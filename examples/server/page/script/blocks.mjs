// Markdown as a list of blocks: paragraphs, headings, lists, tables, quotes, code, rules, formulas. CommonMark 0.31 with GitHub's
// tables and task lists, without HTML and link references. Each block knows its lines: [from, to) of the list it was parsed
// from, and `source`, its text, by which a view tells what has changed.

import {parseInline, plainText} from './inline.mjs';

const kMaxNesting = 20;  // of quotes and lists; deeper marks are text
const kRule = /^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/;
const kHeading = /^ {0,3}(#{1,6})(?: +(.*?))?(?: +#+)? *$/;
const kFence = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,}) *(.*)$/;
const kQuote = /^ {0,3}> ?/;
const kItem = /^( {0,3})([-+*]|(\d{1,9})([.)]))( +|$)/;
const kMathOpen = /^ {0,3}(\$\$|\\\[)/;
const kDelimiterRow = /^ {0,3}\|? *:?-+:? *(?:\| *:?-+:? *)*\|? *$/;
// The beginning of a line that may yet become something else, and should not flash up as what it is now.
const kUndecided = /^ *(?:`{1,2}|~{1,2}|[-=]{1,2}|[-*+]|\d{1,3}[.)]|#{1,6}|\|) *$/;

// In front of a line that goes on a paragraph without the indent of its list or quote: whatever it looks like, it begins no
// block, as nothing that is indented by 4 and more does.
const kLazy = ' '.repeat(100);

const isBlank = (line) => line === undefined || /^[ \t]*$/.test(line);
const indentOf = (line) => /^ */.exec(line)[0].length;

// Tabs among the marks in front of the text are blanks up to the next column of 4.
function expandTabs(line) {
  if (!line.includes('\t')) return line;
  let result = '', position = 0;
  for (; /[\s>*+#\d.)_-]/.test(line[position] ?? 'x'); ++position) {
    result += line[position] === '\t' ? ' '.repeat(4 - (result.length % 4)) : line[position];
  }
  return result + line.slice(position);
}

// `line` without its first columns; tabs behind them stay tabs, which a Makefile in a list needs.
function dropColumns(line, columns) {
  return /^ *$/.test(line.slice(0, columns)) ? line.slice(columns) : expandTabs(line).slice(columns);
}

export function cellsOf(row) {
  let text = row.trim();
  if (text.startsWith('|')) text = text.slice(1);
  const cells = [''];
  for (let i = 0; i < text.length; ++i) {
    if (text[i] === '\\' && text[i + 1] === '|') cells[cells.length - 1] += text[++i];
    else if (text[i] === '\\') cells[cells.length - 1] += text[i] + (text[++i] ?? '');
    else if (text[i] === '|') cells.push('');
    else cells[cells.length - 1] += text[i];
  }
  if (cells.length > 1 && cells.at(-1).trim() === '') cells.pop();
  return cells.map((cell) => cell.trim());
}

class BlockParser {
  constructor(lines, depth, streaming) {
    this.raw = lines;
    this.lines = lines.map(expandTabs);
    this.depth = depth;
    this.streaming = streaming;
    this.position = 0;
    this.blocks = [];
  }

  parse() {
    while (this.position < this.lines.length) {
      if (isBlank(this.line)) {
        ++this.position;
        continue;
      }
      const from = this.position;
      const block = this.fence() ?? this.indented() ?? this.heading() ?? this.rule() ?? this.quote() ?? this.list() ??
                    this.math() ?? this.table() ?? this.paragraph();
      this.blocks.push({...block, from, to: this.position, source: this.raw.slice(from, this.position).join('\n')});
    }
    // How the end of a text that goes on looks depends on more than its source: see parseInline's `streaming`.
    const last = this.blocks.at(-1);
    if (this.streaming && last?.to === this.lines.length) last.open = true;
    return this.blocks;
  }

  get line() {
    return this.lines[this.position];
  }

  inline(text, options = {}) {
    const atEnd = this.position >= this.lines.length;
    return parseInline(text, {...options, streaming: this.streaming && atEnd});
  }

  inside(lines) {
    return new BlockParser(lines, this.depth + 1, this.streaming && this.position >= this.lines.length).parse();
  }

  fence() {
    const open = kFence.exec(this.line);
    if (!open) return null;
    const [, indent, marks, info] = open;
    const close = new RegExp(`^ {0,3}${marks[0]}{${marks.length},} *$`);
    const inner = new RegExp(`^ {0,${indent.length}}`);
    const text = [];
    for (++this.position; this.position < this.lines.length && !close.test(this.line); ++this.position) {
      text.push(this.raw[this.position].replace(inner, ''));
    }
    const closed = this.position < this.lines.length;
    if (closed) ++this.position;
    return {type: 'code', language: plainText(/^\S*/.exec(info)[0]), text: text.map((line) => `${line}\n`).join(''), closed};
  }

  indented() {
    if (indentOf(this.line) < 4) return null;
    const text = [];
    let end = this.position;
    for (let i = this.position; i < this.lines.length && (isBlank(this.lines[i]) || indentOf(this.lines[i]) >= 4); ++i) {
      text.push(dropColumns(this.raw[i], 4));
      if (!isBlank(this.lines[i])) end = i + 1;
    }
    text.length = end - this.position;
    this.position = end;
    return {type: 'code', language: '', text: text.map((line) => `${line}\n`).join(''), closed: true};
  }

  heading() {
    const match = kHeading.exec(this.line);
    if (!match) return null;
    ++this.position;
    const text = /^#+$/.test(match[2] ?? '') ? '' : match[2] ?? '';
    return {type: 'heading', level: match[1].length, inline: this.inline(text)};
  }

  rule() {
    if (!kRule.test(this.line)) return null;
    ++this.position;
    return {type: 'rule'};
  }

  quote() {
    if (!kQuote.test(this.line) || this.depth >= kMaxNesting) return null;
    const lines = [];
    const follow = new Following();
    for (; this.position < this.lines.length; ++this.position) {
      const line = this.line;
      if (kQuote.test(line)) lines.push(this.raw[this.position].replace(kQuote, ''));
      else if (!isBlank(line) && follow.isParagraph && !this.startsBlock(this.position)) lines.push(kLazy + line.trimStart());
      else break;
      follow.add(lines.at(-1));
    }
    return {type: 'quote', children: this.inside(lines)};
  }

  list() {
    const first = kItem.exec(this.line);
    if (!first || this.depth >= kMaxNesting) return null;
    const items = [];
    let loose = false, end = this.position;
    for (;;) {
      const match = this.position < this.lines.length ? kItem.exec(this.line) : null;
      if (!match || kRule.test(this.line) || (match[4] ?? match[2]) !== (first[4] ?? first[2])) break;
      if (this.position > end) loose = true;  // blank lines between items
      const lines = this.itemLines(match);
      end = this.position;
      const item = this.item(lines);
      if (item.children.some((block, i) => i > 0 && block.from > item.children[i - 1].to)) loose = true;
      items.push(item);
      while (this.position < this.lines.length && isBlank(this.line)) ++this.position;
    }
    this.position = end;
    return {type: 'list', ordered: first[3] !== undefined, start: Number(first[3] ?? 1), tight: !loose, items};
  }

  item(lines) {
    const task = /^\[([ xX])\] +(?=\S)/.exec(lines[0]);
    const inner = task ? [lines[0].slice(task[0].length), ...lines.slice(1)] : lines;
    const children = this.inside(inner);
    return {task: task ? task[1] !== ' ' : null, children, source: lines.join('\n'), open: children.at(-1)?.open ?? false};
  }

  // The lines of one item, without its indent. Leaves `position` behind the last one that is not blank.
  itemLines(match) {
    const marker = match[1].length + match[2].length;
    const blanks = match[5].length;
    const rest = this.line.slice(match[0].length);
    const indent = marker + (rest === '' || blanks > 4 ? 1 : blanks);
    const lines = [this.line.slice(indent)];
    const follow = new Following(lines[0]);
    let end = ++this.position;
    for (let i = end; i < this.lines.length; ++i) {
      const line = this.lines[i];
      if (isBlank(line)) {
        if (lines.length === 1 && isBlank(lines[0])) break;
        lines.push('');
      } else if (indentOf(line) >= indent) {
        lines.push(dropColumns(this.raw[i], indent));
      } else if (follow.isParagraph && !kItem.test(line) && !this.startsBlock(i)) {
        lines.push(kLazy + line.trimStart());
      } else {
        break;
      }
      follow.add(lines.at(-1));
      if (!isBlank(line)) end = i + 1;
    }
    lines.length = 1 + end - this.position;
    this.position = end;
    return lines;
  }

  // A formula on lines of its own stays as it is.
  math() {
    const open = kMathOpen.exec(this.line);
    if (!open) return null;
    const close = open[1] === '$$' ? '$$' : '\\]';
    for (let i = this.position; i < this.lines.length && !isBlank(this.lines[i]); ++i) {
      const text = i === this.position ? this.line.slice(open[0].length) : this.lines[i];
      const at = text.indexOf(close);
      if (at >= 0 && text.slice(at + 2).trim() !== '') return null;
      if (at >= 0) return this.takeMath(i + 1);
    }
    return null;
  }

  takeMath(end) {
    const text = this.lines.slice(this.position, end).join('\n').trim();
    this.position = end;
    return {type: 'math', text};
  }

  isTable(at) {
    const next = this.lines[at + 1];
    if (next === undefined || !this.lines[at].includes('|') || !kDelimiterRow.test(next)) return false;
    return cellsOf(this.lines[at]).length === cellsOf(next).length;
  }

  table() {
    if (!this.isTable(this.position)) return null;
    const head = cellsOf(this.line).map((cell) => this.inline(cell, {cell: true}));
    const align = cellsOf(this.lines[this.position + 1]).map((cell) =>
      cell.startsWith(':') ? (cell.endsWith(':') && cell.length > 1 ? 'center' : 'left') : cell.endsWith(':') ? 'right' : '');
    const rows = [];
    const headSource = this.lines.slice(this.position, this.position + 2).join('\n');
    for (this.position += 2; this.position < this.lines.length && !isBlank(this.line) && !this.startsBlock(this.position);) {
      const source = this.lines[this.position++];
      const cells = cellsOf(source).slice(0, head.length).map((cell) => this.inline(cell, {cell: true}));
      while (cells.length < head.length) cells.push([]);
      rows.push({source, cells, open: this.streaming && this.position >= this.lines.length});
    }
    return {type: 'table', align, head, headSource, rows};
  }

  // Whether the line ends a paragraph above it.
  startsBlock(at) {
    const line = this.lines[at];
    if (kFence.test(line) || kHeading.test(line) || kRule.test(line) || kQuote.test(line)) return true;
    const item = kItem.exec(line);
    if (item && line.length > item[0].length && (item[3] === undefined || Number(item[3]) === 1)) return true;
    return false;
  }

  paragraph() {
    const from = this.position;
    for (++this.position; this.position < this.lines.length && !isBlank(this.line); ++this.position) {
      const underline = /^ {0,3}(=+|-+) *$/.exec(this.line);
      if (underline) {
        const text = this.lines.slice(from, this.position++).map((line) => line.trim()).join('\n');
        return {type: 'heading', level: underline[1][0] === '=' ? 1 : 2, inline: this.inline(text)};
      }
      if (this.startsBlock(this.position) || this.isTable(this.position)) break;
    }
    const text = this.lines.slice(from, this.position).map((line) => line.trimStart()).join('\n').trimEnd();
    return {type: 'paragraph', inline: this.inline(text)};
  }
}

// Whether the lines seen so far end in a paragraph, which a line without the indent of its list or quote may go on.
class Following {
  constructor(line) {
    this.fence = null;
    this.isParagraph = false;
    if (line !== undefined) this.add(line);
  }
  add(line) {
    let text = line;
    for (let mark; (mark = kItem.exec(text) ?? kQuote.exec(text)) && mark[0] !== '';) text = text.slice(mark[0].length);
    const fence = kFence.exec(text);
    if (this.fence) {
      if (fence && fence[3] === '' && fence[2].startsWith(this.fence)) this.fence = null;
      this.isParagraph = false;
      return;
    }
    if (fence) this.fence = fence[2];
    const indented = indentOf(text) >= 4 && !this.isParagraph;
    this.isParagraph = !fence && !isBlank(text) && !kHeading.test(text) && !kRule.test(line) && !indented;
  }
}

// options.streaming: more text is to come.
export function parseBlocks(text, {streaming = false} = {}) {
  const lines = text.replace(/\r\n?/g, '\n').split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (streaming && kUndecided.test(lines.at(-1) ?? '')) lines.pop();
  return new BlockParser(lines, 0, streaming).parse();
}
