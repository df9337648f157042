// What the page tells: a banner for what lasts, a toast for what passes, a line for screen readers, and the question for a key.

import {element, find, icon} from './dom.mjs';

const kToastMs = 8000;

// The banner under the bar; text null takes it away. action: {label, click}
export function showBanner(text, {bad = false, action = null} = {}) {
  const banner = find('#banner');
  const key = `${text} ${bad}`;
  if (banner.dataset.key === key) return;
  banner.dataset.key = key;
  banner.hidden = text === null;
  banner.classList.toggle('bad', bad);
  if (text === null) return;
  banner.replaceChildren(icon('warning'), element('span', {class: 'text'}, text));
  if (action) banner.append(element('button', {type: 'button', class: 'button', on: {click: action.click}}, action.label));
}

export function showToast(text, action = null) {
  const toasts = find('#toasts');
  const close = () => toast.remove();
  const toast = element('div', {class: 'toast'}, element('span', {}, text));
  if (action) toast.append(element('button', {type: 'button', on: {click: () => { close(); action.click(); }}}, action.label));
  toast.append(element('button', {type: 'button', 'aria-label': 'Dismiss', on: {click: close}}, '\u2715'));
  while (toasts.children.length >= 3) toasts.firstChild.remove();
  toasts.append(toast);
  setTimeout(close, kToastMs);
}

// Screen readers are told when an answer begins and ends, not each of its words.
export function announce(text) {
  find('#live').replaceChildren(element('p', {}, text));
}

let waiting = null;

// Asks for an API key; resolves to it, or to null if the user would rather not. Several who ask at once get one question.
export function askForKey(text) {
  if (waiting) return waiting;
  const dialog = find('#key');
  const input = find('#key-input');
  find('#key-text').textContent = `${text} It is kept until you close this tab.`;
  waiting = new Promise((resolve) => {
    let key = null;
    input.value = '';
    find('#key-form').onsubmit = (event) => {
      event.preventDefault();
      key = input.value.trim() || null;
      dialog.close();
    };
    find('#cancel-key').onclick = () => dialog.close();
    dialog.onclose = () => {
      waiting = null;
      input.value = '';
      resolve(key);
    };
    dialog.showModal();
    input.focus();
  });
  return waiting;
}
