// The page's Markdown, as trees: against the examples of the CommonMark specification as another renderer (markdown-it) shows
// them, against a table of its own cases for what lies beyond CommonMark, and against texts made to hurt.
// usage: node markdown_test.mjs FOLDER_OF_THE_SCRIPTS
import assert from 'node:assert/strict';
import {pathToFileURL} from 'node:url';
import spec from 'commonmark-spec';
import MarkdownIt from 'markdown-it';
import {Suite} from './harness.mjs';
import {blocksHtml, normalHtml} from './html.mjs';

const scripts = pathToFileURL(`${process.argv[2]}/`);
const {parseBlocks} = await import(new URL('blocks.mjs', scripts));
const {safeAddress} = await import(new URL('inline.mjs', scripts));
const suite = new Suite();
const html = (text, options) => blocksHtml(parseBlocks(text, options));

// Where the page means to differ, by the number of the example in CommonMark 0.31.2.
const kDifferences = new Map([
  ...[12].map((number) => [number, '\\[...\\] is a formula']),
  ...[14, 41, 488, 490, 491, 493, 494, 497, 508, 513, 518, 519, 602, 608, 611].map((number) => [number, 'bare addresses are links']),
  ...[517, 520, 572, 574, 575, 578, 579, 580, 581].map((number) => [number, 'images are links']),
  ...[484, 485, 486, 487, 510].map((number) => [number, 'links without a scheme are not followed']),
  ...[596, 598, 599, 601].map((number) => [number, 'links of other schemes are not followed']),
  ...[25, 31, 32, 34, 503, 630].map((number) => [number, 'only the usual named entities are known']),
  ...[20, 502, 603].map((number) => [number, 'addresses are as browsers write them']),
  ...[6].map((number) => [number, 'a tab behind > counts from there']),
  ...[194].map((number) => [number, 'no link references']),
]);

// The examples name relative addresses, which the page does not follow: they are made absolute for both sides.
const absolute = (text) => text.replace(/\]\((<?)(?!\))(?=[\w/#?&"\\%])(?!https?:)\/?/g, '](\$1https://h/');
const sameAddresses = (text) => text.replace(/href="([^"]*)"/g, (whole, address) => {
  try {
    return `href="${new URL(address.replace(/&amp;/g, '&')).href}"`;
  } catch {
    return whole;
  }
}).replace(/%60/g, '`');

suite.test('the examples of CommonMark 0.31.2, against markdown-it', () => {
  const other = new MarkdownIt({html: false, breaks: true});
  const wrong = [];
  let same = 0, references = 0;
  for (const {number, markdown} of spec.tests) {
    const text = absolute(markdown.replace(/\u2192/g, '\t'));
    if (/^ {0,3}(> )?\[[^\]]*\]:/m.test(text)) {
      ++references;
      continue;
    }
    const ours = sameAddresses(normalHtml(html(text)));
    const theirs = sameAddresses(normalHtml(other.render(text)));
    if (ours === theirs) ++same;
    else if (!kDifferences.has(number)) wrong.push(`example ${number} ${JSON.stringify(text)}\n  page:        ${ours}\n  markdown-it: ${theirs}`);
  }
  console.log(`        ${same} alike, ${kDifferences.size} meant to differ, ${references} with link references left out, of ${spec.tests.length}`);
  assert.deepEqual(wrong, []);
  assert.ok(same > 500, `only ${same} examples were compared`);
});

suite.test('tables and strikethrough, against markdown-it', () => {
  const other = new MarkdownIt({html: false, breaks: true});
  for (const text of [
    '| a | b |\n|---|---|\n| 1 | 2 |\n', 'a | b\n:-- | --:\n1 | 2\n3 | 4\n\nafter\n', '| a |\n| - |\n| x | y |\n|  |\n', 'text\n| a | b |\n| :-: | - |\n| `c` | **d** |\n> q\n',
    '| a | b |\n|---|\n| 1 | 2 |\n', '| a \\| b | c |\n|---|---|\n| x \\| y | z |\n', '| a | b |\n|---|---|\n\n| 1 | 2 |\n', '~~gone~~ and ~~*both*~~ ~not~\n', '- | a | b |\n  |---|---|\n  | 1 | 2 |\n',
    '| a | b |\n| --- | --- |\n', 'not | a\ntable\n', '|a|b|\n|-|-|\n|1|2|\n- item\n',
  ]) assert.equal(normalHtml(html(text)), normalHtml(other.render(text)), text);
});

const kCases = [
  ['$a_1 * b_2 * c$ costs', '<p>$a_1 * b_2 * c$ costs</p>'],
  ['\\(x_1^* + y_2^*\\)', '<p>\\(x_1^* + y_2^*\\)</p>'],
  ['it costs $5 or $6 *now*', '<p>it costs $5 or $6 <em>now</em></p>'],
  ['$$\na_1 = b_1\n- c\n$$\n*after*', '<p>$$\na_1 = b_1\n- c\n$$</p><p><em>after</em></p>'],
  ['\\[\nx = y_1 * z_1 * 2\n\\]', '<p>\\[\nx = y_1 * z_1 * 2\n\\]</p>'],
  ['see https://example.com/a_b_c?d=1, or (http://x.org/y).', '<p>see <a href="https://example.com/a_b_c?d=1">https://example.com/a_b_c?d=1</a>, or (<a href="http://x.org/y">http://x.org/y</a>).</p>'],
  ['**https://example.com**', '<p><strong><a href="https://example.com/">https://example.com</a></strong></p>'],
  ['[https://a.org](https://b.org)', '<p><a href="https://b.org/">https://a.org</a></p>'],
  ['one\ntwo', '<p>one<br>two</p>'],
  ['| a |\n|---|\n| x<br>y |', '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>x<br>y</td></tr></tbody></table>'],
  ['1. a\n   ```make\n   all:\n   \tcc\n   ```', '<ol><li>a<pre><code class="language-make">all:\n\tcc\n</code></pre></li></ol>'],
  ['```\n\tx\n```', '<pre><code>\tx\n</code></pre>'],
  ['<script>alert(1)</script>', '<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>'],
  ['<img src=x onerror=alert(1)>', '<p>&lt;img src=x onerror=alert(1)&gt;</p>'],
  ['[x](javascript:alert(1))', '<p>x</p>'],
  ['[x](java\nscript:alert(1))', '<p>[x](java<br>script:alert(1))</p>'],
  ['[x](&#106;avascript:alert(1))', '<p>x</p>'],
  ['[x](JaVaScRiPt&colon;alert(1))', '<p>x</p>'],
  ['[x](data:text/html,<script>alert(1)</script>)', '<p>x</p>'],
  ['![x](data:image/svg+xml,x)', '<p>x</p>'],
  ['[x](vbscript:a) [y](file:///etc/passwd) [z](//evil.example)', '<p>x y z</p>'],
  ['[x](https://a.org "t\\"i\\"t")', '<p><a href="https://a.org/" title="t&quot;i&quot;t">x</a></p>'],
  ['[mail](mailto:a@b.org) <c@d.org>', '<p><a href="mailto:a@b.org">mail</a> <a href="mailto:c@d.org">c@d.org</a></p>'],
  ['``` "><script>\nx\n```', '<pre><code class="language-&quot;&gt;&lt;script&gt;">x\n</code></pre>'],
  ['constructor toString __proto__ &constructor;', '<p>constructor toString <strong>proto</strong> &amp;constructor;</p>'],
  ['', ''],
];

for (const [text, expected] of kCases) {
  suite.test(`case ${JSON.stringify(text)}`, () => assert.equal(html(text), expected));
}

const kGrowing = [
  ['a **bo', '<p>a <strong>bo</strong></p>'], ['a `co', '<p>a <code>co</code></p>'], ['a **', '<p>a **</p>'], ['text\n``', '<p>text</p>'], ['```py', '<pre><code class="language-py"></code></pre>'],
  ['```py\nx = 1\n``', '<pre><code class="language-py">x = 1\n</code></pre>'], ['text\n-', '<p>text</p>'], ['- a\n-', '<ul><li>a</li></ul>'], ['text\n#', '<p>text</p>'], ['a ~~b', '<p>a ~~b</p>'],
];
for (const [text, expected] of kGrowing) {
  suite.test(`while it grows ${JSON.stringify(text)}`, () => assert.equal(html(text, {streaming: true}), expected));
}

suite.test('addresses', () => {
  for (const bad of ['javascript:alert(1)', ' javascript:x', 'java\tscript:x', '\u0001javascript:x', 'data:text/html,x', 'blob:x', 'vbscript:x', 'file:///x', '/x', 'x', '', '//x', 'http:', 'https://', 'jav&#x09;ascript:x', 'feed:javascript:x']) {
    assert.equal(safeAddress(bad), null, bad);
  }
  assert.equal(safeAddress('https://a.org/x?y#z'), 'https://a.org/x?y#z');
});

suite.test('texts made to take long do not', () => {
  const many = (text, count = 20000) => text.repeat(count);
  const bad = {
    emphasis: many('*a '), both: many('*a _b '), closing: many('a* '), nested: many('**a ', 20000) + many('** ', 20000), brackets: many('['), links: many('[a]('), images: many('![a](<b'),
    backticks: Array.from({length: 600}, (_, i) => '`'.repeat(i + 1)).join(' '), quotes: `${many('> ', 5000)}a`, lists: `${many('- ', 5000)}a`, quoteLines: many('> a\n', 20000), formulas: many('\\( '), dollars: many('$a '),
    tildes: many('~~a '), pipes: `${many('a|')}\n${many('-|')}\n`, fences: many('```\n', 20001), numbers: many('1. a\n', 20000), entities: many('&amp;'), angles: many('<https://a '), addresses: many('https://a.b/( '),
    deepLinks: many('[', 20000) + 'a' + many('](https://b.c)', 20000), heading: `# ${many('# ')}`, spaces: `a${many(' ')}b`, hashes: `a${many(' #')}`,
  };
  for (const [name, text] of Object.entries(bad)) {
    const begun = process.cpuUsage();  // not the clock: other programs may be busy
    html(text);
    html(text, {streaming: true});
    const {user, system} = process.cpuUsage(begun);
    const took = (user + system) / 1000;
    assert.ok(took < 3000, `${name} took ${Math.round(took)} ms of a processor`);
  }
});

await suite.run(() => ({}), () => {});
