// Making elements. Text is always a text node: nothing here, or anywhere in the page, turns text into HTML.

// element('button', {class: 'x', 'aria-label': 'y', on: {click}}, 'text', child, [children]). A property that is false, null or
// undefined is left out; true gives an empty attribute.
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'on') for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name === 'value') node.value = value;
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const find = (selector, root = document) => root.querySelector(selector);

const kIcons = {
  menu: 'M4 7h16M4 12h16M4 17h16',
  plus: 'M12 5v14M5 12h14',
  search: 'M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM16 16l4.5 4.5',
  settings: 'M4 7h9M19 7h1M4 17h1M11 17h9M16 4.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5zM8 14.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5z',
  sun: 'M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  edit: 'M4 20l1-4L16.5 4.5l3 3L8 19zM14 7l3 3',
  trash: 'M5 7h14M9.5 7V4.5h5V7M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5',
  refresh: 'M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 4v4.5H15',
  send: 'M12 19V5.5M6 11.5l6-6 6 6',
  stop: 'M7.5 7.5h9v9h-9z',
  previous: 'M14.5 6l-6 6 6 6',
  next: 'M9.5 6l6 6-6 6',
  close: 'M6 6l12 12M18 6L6 18',
  download: 'M12 4v11M7 10.5l5 5 5-5M5 20h14',
  upload: 'M12 16V5M7 9.5l5-5 5 5M5 20h14',
  warning: 'M12 4l9 16H3zM12 10v4.5M12 17.2v.3',
};

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  for (const [key, value] of [['viewBox', '0 0 24 24'], ['class', `icon icon-${name}`], ['aria-hidden', 'true']]) svg.setAttribute(key, value);
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', kIcons[name]);
  svg.append(path);
  return svg;
}

// A button that shows an icon alone; `label` is what it is called.
export function iconButton(name, label, click, properties = {}) {
  return element('button', {type: 'button', class: 'icon-button', 'aria-label': label, title: label, on: {click}, ...properties}, icon(name));
}

// Copies and tells so for a moment on the button that was pressed.
export async function copyText(text, button) {
  const glyph = button.querySelector('.icon');
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copied = copyBySelection(text);  // a page that came over plain HTTP from another machine has no clipboard
  }
  glyph.replaceWith(icon(copied ? 'check' : 'warning'));
  button.dataset.copied = copied;
  clearTimeout(button.copyTimer);
  button.copyTimer = setTimeout(() => {
    button.querySelector('.icon').replaceWith(icon('copy'));
    delete button.dataset.copied;
  }, 1500);
}

function copyBySelection(text) {
  const area = element('textarea', {class: 'off-screen', readonly: true, 'aria-hidden': 'true', value: text});
  const focused = document.activeElement;
  (focused?.closest?.('dialog') ?? document.body).append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  focused?.focus?.();
  return copied;
}
