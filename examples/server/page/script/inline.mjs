// The text inside one Markdown block, as a tree: emphasis, code, links, line breaks. Emphasis follows the delimiter runs of
// CommonMark 0.31; `~~` and bare addresses follow GitHub's extension. HTML is text. Formulas are kept as they were written.
// Time is linear in the text but for emphasis, where it is as in CommonMark's reference method; nesting is bounded.

const kMaxDepth = 40;  // of inline nodes; beyond it marks stay text, so that no recursion over the tree can overflow
const kMaxTarget = 4096;
const kEntities = {
  amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0', copy: '\u00a9', reg: '\u00ae', trade: '\u2122',
  hellip: '\u2026', mdash: '\u2014', ndash: '\u2013', lsquo: '\u2018', rsquo: '\u2019', ldquo: '\u201c',
  rdquo: '\u201d', times: '\u00d7', divide: '\u00f7', deg: '\u00b0', plusmn: '\u00b1', middot: '\u00b7', bull: '\u2022',
  larr: '\u2190', uarr: '\u2191', rarr: '\u2192', darr: '\u2193', le: '\u2264', ge: '\u2265', ne: '\u2260', euro: '\u20ac',
};
const kPunctuation = /[\p{P}\p{S}]/u;
const kSpace = /\s/u;
const kEscapable = /[!-/:-@[-`{-~]/;

// The address if it may be followed from a page, else null: http, https and mailto alone.
export function safeAddress(address) {
  const plain = address.replace(/[\u0000-\u001f\u007f-\u009f]/g, '').trim();
  if (!/^(https?:\/\/|mailto:)/i.test(plain)) return null;
  try {
    const url = new URL(plain);
    return ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function decodeEntities(text) {
  return text.replace(/&(#\d{1,7}|#[xX][\da-fA-F]{1,6}|[a-zA-Z]{2,8});/g, (whole, name) => {
    if (name[0] !== '#') return Object.hasOwn(kEntities, name) ? kEntities[name] : whole;
    const code = /^#x/i.test(name) ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10);
    return code === 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? '\ufffd' : String.fromCodePoint(code);
  });
}

// `text` without backslash escapes and entities, as in addresses, titles and languages of fences.
export function plainText(text) {
  return decodeEntities(text.replace(/\\([!-/:-@[-`{-~])/g, (_, mark) => `&#${mark.charCodeAt(0)};`));
}

// A doubly linked list of nodes, as emphasis takes nodes out of the middle of it.
class NodeList {
  constructor() {
    this.head = {type: 'head', previous: null, next: null};
    this.tail = this.head;
  }
  add(node) {
    node.previous = this.tail;
    node.next = null;
    this.tail.next = node;
    this.tail = node;
    return node;
  }
  remove(node) {
    node.previous.next = node.next;
    if (node.next) node.next.previous = node.previous;
    else this.tail = node.previous;
  }
  // Puts all nodes between `from` and `to` (both exclusive; to null: the end) into `wrapper`, in their place. False if that would
  // nest too deep.
  wrap(from, to, wrapper) {
    let depth = 0;
    const inside = [];
    for (let node = from.next; node !== to; node = node.next) {
      depth = Math.max(depth, node.depth ?? 0);
      inside.push(node);
    }
    if (depth >= kMaxDepth) return false;
    wrapper.depth = depth + 1;
    wrapper.children = inside;
    wrapper.previous = from;
    wrapper.next = to;
    from.next = wrapper;
    if (to) to.previous = wrapper;
    else this.tail = wrapper;
    return true;
  }
}

class InlineParser {
  constructor(text, options) {
    this.text = text;
    this.options = options;
    this.position = 0;
    this.nodes = new NodeList();
    this.delimiters = {previous: null, next: null, sequence: 0};  // the bottom of the stack
    this.top = this.delimiters;
    this.sequence = 0;
    this.brackets = [];
    this.unclosed = new Set();  // closing marks that are known not to come any more
    this.runs = null;           // length of a run of backticks -> where such runs begin
  }

  parse() {
    const steps = {
      '\\': this.escape, '`': this.code, '*': this.delimiter, '_': this.delimiter, '~': this.delimiter, '[': this.open,
      ']': this.close, '!': this.image, '<': this.angle, '&': this.entity, $: this.dollar, '\n': this.lineBreak,
    };
    while (this.position < this.text.length) {
      const step = steps[this.text[this.position]];
      if (!step) this.plain();
      else if (!step.call(this)) this.addText(this.text[this.position++]);
    }
    this.emphasis(this.delimiters);
    if (this.options.streaming) this.closeOpenStrong();
    return asArray(this.nodes.head.next);
  }

  addText(text) {
    this.nodes.add({type: 'text', text});
  }

  plain() {
    const address = this.nextAddress();
    if (address === this.position) {
      this.bareAddress();
      return;
    }
    const text = /^[^\\`*_~[\]!<&$\n]+/.exec(this.text.slice(this.position, address))[0];
    this.addText(text);
    this.position += text.length;
  }

  // Where the next bare address begins, from `position` on; the length of the text if there is none.
  nextAddress() {
    this.addresses ??= [...this.text.matchAll(/(?<![\p{L}\p{N}])https?:\/\//giu)].map(({index}) => index).reverse();
    while (this.addresses.length > 0 && this.addresses.at(-1) < this.position) this.addresses.pop();
    return this.addresses.at(-1) ?? this.text.length;
  }

  bareAddress() {
    const pattern = /https?:\/\/[^\s<>[\]`"|\\]+/iy;
    pattern.lastIndex = this.position;
    let address = pattern.exec(this.text)?.[0] ?? '';
    for (let shorter = true; shorter;) {
      shorter = false;
      if (/[?!.,:;*_~']$/.test(address)) shorter = true;
      if (address.endsWith(')') && address.split(')').length > address.split('(').length) shorter = true;
      if (shorter) address = address.slice(0, -1);
    }
    const target = /^https?:\/\/[^/]/i.test(address) ? safeAddress(address) : null;
    const length = address.length || 1;
    if (target) this.nodes.add({type: 'link', href: target, bare: true, children: [{type: 'text', text: address}]});
    else this.addText(this.text.slice(this.position, this.position + length));
    this.position += length;
  }

  escape() {
    const next = this.text[this.position + 1];
    if (next === '(' && this.formula('\\(', '\\)')) return true;
    if (next === '[' && this.formula('\\[', '\\]')) return true;
    if (next === '\n') {
      this.position += 2;
      this.nodes.add({type: 'break'});
      return true;
    }
    if (next === undefined || !kEscapable.test(next)) return false;
    this.addText(next);
    this.position += 2;
    return true;
  }

  formula(open, close) {
    const from = this.position + open.length;
    const end = this.unclosed.has(close) ? -1 : this.text.indexOf(close, from);
    if (end < 0) this.unclosed.add(close);
    if (end <= from) return false;
    this.nodes.add({type: 'math', text: this.text.slice(this.position, end + close.length)});
    this.position = end + close.length;
    return true;
  }

  // $x$ is a formula as in pandoc: no blank inside the marks, no digit after them. So prices stay prices.
  dollar() {
    if (this.text[this.position + 1] === '$') return this.formula('$$', '$$');
    const from = this.position + 1;
    const end = this.text.indexOf('$', from);
    if (end <= from || kSpace.test(this.text[from]) || kSpace.test(this.text[end - 1])) return false;
    if (/\d/.test(this.text[end + 1] ?? '')) return false;
    this.nodes.add({type: 'math', text: this.text.slice(this.position, end + 1)});
    this.position = end + 1;
    return true;
  }

  code() {
    const run = /`+/y;
    run.lastIndex = this.position;
    const length = run.exec(this.text)[0].length;
    const from = this.position + length;
    const end = this.closingRun(length, from);
    if (end < 0 && !(this.options.streaming && from < this.text.length && length === 1)) {
      this.addText(this.text.slice(this.position, from));
      this.position = from;
      return true;
    }
    let text = this.text.slice(from, end < 0 ? undefined : end).replace(/\n/g, ' ');
    if (/^ .* $/.test(text) && /[^ ]/.test(text)) text = text.slice(1, -1);
    this.nodes.add({type: 'code', text});
    this.position = end < 0 ? this.text.length : end + length;
    return true;
  }

  closingRun(length, from) {
    if (!this.runs) {
      this.runs = new Map();
      for (const match of this.text.matchAll(/`+/g)) {
        if (!this.runs.has(match[0].length)) this.runs.set(match[0].length, {places: [], next: 0});
        this.runs.get(match[0].length).places.push(match.index);
      }
    }
    const runs = this.runs.get(length);
    if (!runs) return -1;
    while (runs.next < runs.places.length && runs.places[runs.next] < from) ++runs.next;
    return runs.places[runs.next] ?? -1;
  }

  entity() {
    const pattern = /&(#\d{1,7}|#[xX][\da-fA-F]{1,6}|[a-zA-Z]{2,8});/y;
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.text);
    if (!match) return false;
    this.addText(decodeEntities(match[0]));
    this.position += match[0].length;
    return true;
  }

  angle() {
    const pattern = /<(?:(br) ?\/?|(https?:\/\/[^\s<>]*|mailto:[^\s<>]*)|([\w.+-]+@[\w-]+(?:\.[\w-]+)+))>/iy;
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.text);
    if (!match || (match[1] && !this.options.cell)) return false;
    const target = match[1] ? null : safeAddress(match[3] ? `mailto:${match[3]}` : match[2]);
    if (match[1]) this.nodes.add({type: 'break'});
    else if (target) this.nodes.add({type: 'link', href: target, bare: true, children: [{type: 'text', text: match[2] ?? match[3]}]});
    else this.addText(match[0]);
    this.position += match[0].length;
    return true;
  }

  lineBreak() {
    const last = this.nodes.tail;
    if (last.type === 'text') last.text = last.text.replace(/ +$/, '');
    this.nodes.add({type: 'break'});
    ++this.position;
    while (this.text[this.position] === ' ') ++this.position;
    return true;
  }

  delimiter() {
    const mark = this.text[this.position];
    let end = this.position;
    while (this.text[end] === mark) ++end;
    const count = end - this.position;
    const before = this.position === 0 ? '\n' : String.fromCodePoint(codePointBefore(this.text, this.position));
    const after = end === this.text.length ? '\n' : String.fromCodePoint(this.text.codePointAt(end));
    const spaceBefore = kSpace.test(before), spaceAfter = kSpace.test(after);
    const markBefore = kPunctuation.test(before), markAfter = kPunctuation.test(after);
    const left = !spaceAfter && (!markAfter || spaceBefore || markBefore);
    const right = !spaceBefore && (!markBefore || spaceAfter || markAfter);
    const node = this.nodes.add({type: 'text', text: this.text.slice(this.position, end)});
    this.position = end;
    if (mark === '~' && count !== 2) return true;
    const within = mark === '_';
    this.push({
      node, mark, count, original: count, opens: left && (!within || !right || markBefore), closes: right && (!within || !left || markAfter),
    });
    return true;
  }

  push(delimiter) {
    delimiter.sequence = ++this.sequence;
    delimiter.previous = this.top;
    delimiter.next = null;
    this.top.next = delimiter;
    this.top = delimiter;
  }

  drop(delimiter) {
    delimiter.previous.next = delimiter.next;
    if (delimiter.next) delimiter.next.previous = delimiter.previous;
    else this.top = delimiter.previous;
  }

  // Matches the runs of * _ ~~ that lie above `bottom` on the stack.
  emphasis(bottom) {
    const floors = new Map();
    let closer = bottom.next;
    while (closer) {
      if (!closer.closes) {
        closer = closer.next;
        continue;
      }
      const kind = `${closer.mark}${closer.opens}${closer.original % 3}`;
      const floor = floors.get(kind) ?? bottom.sequence;
      let opener = closer.previous;
      while (opener.sequence > floor && !matches(opener, closer)) opener = opener.previous;
      if (opener.sequence <= floor) {
        floors.set(kind, closer.previous.sequence);
        const passed = closer;
        closer = closer.next;
        if (!passed.opens) this.drop(passed);
        continue;
      }
      closer = this.join(opener, closer);
    }
    while (this.top !== bottom && !this.options.streaming) this.drop(this.top);
  }

  // Makes one node of what lies between two runs; returns the run to look at next.
  join(opener, closer) {
    const use = opener.count >= 2 && closer.count >= 2 ? 2 : 1;
    const type = closer.mark === '~' ? 'deleted' : use === 2 ? 'strong' : 'emphasis';
    const wrapped = this.nodes.wrap(opener.node, closer.node, {type});
    while (closer.previous !== opener) this.drop(closer.previous);
    if (!wrapped) {
      this.drop(opener);
      return closer;
    }
    for (const run of [opener, closer]) {
      run.count -= use;
      run.node.text = run.node.text.slice(use);
      if (run.count === 0) this.nodes.remove(run.node);
    }
    if (opener.count === 0) this.drop(opener);
    if (closer.count > 0) return closer;
    const next = closer.next;
    this.drop(closer);
    return next;
  }

  // While text still arrives, what follows an open ** is shown as strong at once.
  closeOpenStrong() {
    for (let run = this.top; run !== this.delimiters; run = run.previous) {
      if (run.mark !== '*' || run.count !== 2 || !run.opens || !run.node.next) continue;
      if (this.nodes.wrap(run.node, null, {type: 'strong'})) this.nodes.remove(run.node);
      return;
    }
  }

  image() {
    if (this.text[this.position + 1] !== '[') return false;
    this.position += 2;
    this.brackets.push({node: this.nodes.add({type: 'text', text: '!['}), below: this.top, image: true, active: true});
    return true;
  }

  open() {
    ++this.position;
    this.brackets.push({node: this.nodes.add({type: 'text', text: '['}), below: this.top, image: false, active: true});
    return true;
  }

  close() {
    const bracket = this.brackets.pop();
    const target = bracket?.active ? this.linkTarget(this.position + 1) : null;
    if (!target) return false;
    this.emphasis(bracket.below);
    while (this.top !== bracket.below) this.drop(this.top);
    const href = safeAddress(target.address);
    if (!this.nodes.wrap(bracket.node, null, {type: 'link', href, title: target.title, image: bracket.image})) return false;
    const link = this.nodes.tail;
    link.children = link.children.flatMap((node) => (node.type === 'link' ? node.children : [node]));
    this.nodes.remove(bracket.node);
    if (bracket.image && link.children.length === 0) link.children = [{type: 'text', text: target.address}];
    if (!bracket.image) this.brackets.forEach((other) => { if (!other.image) other.active = false; });
    this.position = target.end;
    return true;
  }

  // (address "title") at `from`, or null.
  linkTarget(from) {
    if (this.text[from] !== '(') return null;
    const text = this.text.slice(from + 1, from + 1 + kMaxTarget);
    const open = /^\s*/.exec(text)[0].length;
    const address = targetAddress(text, open);
    if (address === null) return null;
    const rest = /^(?:[ \n]+(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|\(((?:[^()\\]|\\.)*)\)))?\s*\)/su.exec(text.slice(address.end));
    if (!rest) return null;
    const title = rest[1] ?? rest[2] ?? rest[3] ?? '';
    return {address: plainText(address.text), title: plainText(title), end: from + 1 + address.end + rest[0].length};
  }
}

function targetAddress(text, from) {
  const angled = /^<((?:[^<>\n\\]|\\.)*)>/.exec(text.slice(from));
  if (angled) return {text: angled[1], end: from + angled[0].length};
  let depth = 0, end = from;
  for (; end < text.length; ++end) {
    const char = text[end];
    if (char === '\\' && kEscapable.test(text[end + 1] ?? '')) ++end;
    else if (/[\u0000-\u0020]/.test(char)) break;
    else if (char === '(' && ++depth > 32) return null;
    else if (char === ')' && depth-- === 0) break;
  }
  return text[from] === '<' ? null : {text: text.slice(from, end), end};
}

function codePointBefore(text, position) {
  const low = text.charCodeAt(position - 1);
  return low >= 0xdc00 && low < 0xe000 && position > 1 ? text.codePointAt(position - 2) : low;
}

function matches(opener, closer) {
  if (!opener.opens || opener.mark !== closer.mark) return false;
  if (opener.mark === '~') return true;
  if (!opener.closes && !closer.opens) return true;
  // The rule of three: ambiguous runs match only if their lengths do not add up to a multiple of 3, or both are one.
  return (opener.original + closer.original) % 3 !== 0 || (opener.original % 3 === 0 && closer.original % 3 === 0);
}

// The linked nodes from `node` on as an array, neighbouring texts joined.
function asArray(node) {
  const list = [];
  for (; node; node = node.next) list.push(node);
  return tidy(list);
}

function tidy(list) {
  const result = [];
  for (const {type, text, href, title, image, children} of list) {
    const last = result.at(-1);
    if (type === 'text' && last?.type === 'text') last.text += text;
    else if (type === 'text') result.push({type, text});
    else if (children) result.push({type, href, title, image, children: tidy(children)});
    else result.push({type, text});
  }
  return result.filter((node) => node.type !== 'text' || node.text !== '');
}

// options.streaming: the text goes on, so an open ` or ** holds to its end. options.cell: <br> breaks the line.
export function parseInline(text, options = {}) {
  return new InlineParser(text, options).parse();
}
