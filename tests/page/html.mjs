// Markdown trees as HTML text, for comparing with renderers that write HTML. The page itself never makes HTML text.
const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
const tags = {emphasis: 'em', strong: 'strong', deleted: 's'};

export function inlineHtml(nodes) {
  return nodes.map((node) => {
    if (node.type === 'text' || node.type === 'math') return escape(node.text);
    if (node.type === 'code') return `<code>${escape(node.text)}</code>`;
    if (node.type === 'break') return '<br>';
    if (node.type === 'link') {
      const inside = inlineHtml(node.children);
      return node.href === null ? inside : `<a href="${escape(node.href)}"${node.title ? ` title="${escape(node.title)}"` : ''}>${inside}</a>`;
    }
    return `<${tags[node.type]}>${inlineHtml(node.children)}</${tags[node.type]}>`;
  }).join('');
}

function listHtml(list) {
  const items = list.items.map((item) => {
    const inside = item.children.map((block) =>
      list.tight && block.type === 'paragraph' ? inlineHtml(block.inline) : blockHtml(block)).join('');
    return `<li>${inside}</li>`;
  }).join('');
  const start = list.ordered && list.start !== 1 ? ` start="${list.start}"` : '';
  return list.ordered ? `<ol${start}>${items}</ol>` : `<ul>${items}</ul>`;
}

function tableHtml({align, head, rows}) {
  const cell = (tag) => (nodes, i) => `<${tag}${align[i] ? ` style="text-align:${align[i]}"` : ''}>${inlineHtml(nodes)}</${tag}>`;
  const body = rows.map(({cells}) => `<tr>${cells.map(cell('td')).join('')}</tr>`).join('');
  return `<table><thead><tr>${head.map(cell('th')).join('')}</tr></thead>${body ? `<tbody>${body}</tbody>` : ''}</table>`;
}

function blockHtml(block) {
  switch (block.type) {
    case 'paragraph': return `<p>${inlineHtml(block.inline)}</p>`;
    case 'heading': return `<h${block.level}>${inlineHtml(block.inline)}</h${block.level}>`;
    case 'code': {
      const language = block.language ? ` class="language-${escape(block.language)}"` : '';
      return `<pre><code${language}>${escape(block.text)}</code></pre>`;
    }
    case 'quote': return `<blockquote>${blocksHtml(block.children)}</blockquote>`;
    case 'list': return listHtml(block);
    case 'table': return tableHtml(block);
    case 'rule': return '<hr>';
    case 'math': return `<p>${escape(block.text)}</p>`;
  }
  throw new Error(`unknown block ${block.type}`);
}

export function blocksHtml(blocks) {
  return blocks.map(blockHtml).join('');
}

// HTML without the differences that a browser does not show.
export function normalHtml(html) {
  return html.replace(/<br ?\/?>\s*/g, '<br>').replace(/<hr ?\/?>/g, '<hr>').replace(/\s*(<\/?(?:p|h\d|ul|ol|li|blockquote|table|thead|tbody|tr|t[hd]|pre|hr)\b[^>]*>)\s*/g, '$1')
    .replace(/&#39;/g, "'").replace(/&quot;/g, '"').replace(/%5B/gi, '[').replace(/%5D/gi, ']').trim();
}
