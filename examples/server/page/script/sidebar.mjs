// The list of conversations: newest first, by day, with search, renaming and deleting.

import {matchesSearch} from './conversation.mjs';
import {element, find, iconButton} from './dom.mjs';

const kDay = 24 * 60 * 60 * 1000;

function groupOf(time) {
  const today = new Date().setHours(0, 0, 0, 0);
  if (time >= today) return 'Today';
  if (time >= today - kDay) return 'Yesterday';
  if (time >= today - 7 * kDay) return 'Last seven days';
  return new Date(time).toLocaleDateString(undefined, {month: 'long', year: 'numeric'});
}

export class Sidebar {
  // actions: {open(id), rename(id, title), remove(id), toggled(open)}
  constructor(actions) {
    this.actions = actions;
    this.root = find('#conversations');
    this.search = find('#search');
    this.app = find('#app');
    this.narrow = matchMedia('(max-width: 800px)');
    this.latest = {conversations: [], current: null, busy: () => false};
    this.search.addEventListener('input', () => this.draw());
    find('#toggle-sidebar').addEventListener('click', () => this.toggle(this.app.dataset.sidebar !== 'open', true));
    find('#close-sidebar').addEventListener('click', () => this.toggle(false, true));
    find('#scrim').addEventListener('click', () => this.toggle(false, true));
    find('#sidebar').addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !this.narrow.matches) return;
      event.stopPropagation();
      this.toggle(false, true);
    });
    this.narrow.addEventListener('change', () => this.toggle(!this.narrow.matches && this.wanted));
  }

  // `wanted`: open on a wide window. On a phone it is a drawer, shut at first.
  start(wanted) {
    this.wanted = wanted;
    this.toggle(wanted && !this.narrow.matches);
  }

  toggle(open, byUser = false) {
    this.app.dataset.sidebar = open ? 'open' : 'closed';
    find('#toggle-sidebar').setAttribute('aria-expanded', open);
    find('#sidebar').inert = !open;
    find('#main').inert = open && this.narrow.matches;  // the drawer lies over it
    if (!byUser) return;
    if (!this.narrow.matches) {
      this.wanted = open;
      this.actions.toggled(open);
    }
    find(open ? '#new-chat' : '#toggle-sidebar').focus();
  }

  closeDrawer() {
    if (this.narrow.matches) this.toggle(false);
  }

  show(conversations, current, busy) {
    this.latest = {conversations, current, busy};
    this.draw();
  }

  draw() {
    if (this.root.querySelector('input')) return;  // a title is being typed
    const words = this.search.value.trim();
    const {conversations, current} = this.latest;
    const shown = [...conversations].filter((conversation) => words === '' || matchesSearch(conversation, words)).sort((a, b) => b.updated - a.updated);
    const focused = this.root.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const parts = [];
    let group = null, list = null;
    for (const conversation of shown) {
      const name = groupOf(conversation.updated);
      if (name !== group) {
        list = element('ul', {'aria-label': name});
        parts.push(element('h2', {'aria-hidden': 'true'}, name), list);
        group = name;
      }
      list.append(this.item(conversation, conversation.id === current));
    }
    if (parts.length === 0) parts.push(element('p', {class: 'none'}, words === '' ? 'No conversations yet.' : 'Nothing found.'));
    this.root.replaceChildren(...parts);
    if (focused) [...this.root.querySelectorAll('[data-key]')].find((node) => node.dataset.key === focused)?.focus();
  }

  item(conversation, current) {
    const {id} = conversation;
    const title = conversation.title || 'Untitled';
    const open = element('button', {type: 'button', class: 'open', title, 'aria-current': current ? 'true' : null, 'data-key': `open ${id}`, on: {click: () => this.actions.open(id)}}, title);
    const item = element('li', {class: current ? 'item current' : 'item'}, open,
      this.latest.busy(id) && element('span', {class: 'busy', role: 'img', 'aria-label': 'answering'}),
      element('span', {class: 'actions'},
        iconButton('edit', `Rename \u201c${title}\u201d`, () => this.rename(item, conversation), {'data-key': `rename ${id}`}),
        iconButton('trash', `Delete \u201c${title}\u201d`, () => this.actions.remove(id), {'data-key': `delete ${id}`})));
    return item;
  }

  rename(item, conversation) {
    const input = element('input', {type: 'text', 'aria-label': 'Title', maxlength: '200', value: conversation.title});
    let finished = false;
    const finish = (keep) => {
      if (finished) return;
      finished = true;
      const title = input.value.trim();
      input.remove();
      if (keep && title !== '') this.actions.rename(conversation.id, title);
      this.draw();
      [...this.root.querySelectorAll('.open')].find((node) => node.dataset.key === `open ${conversation.id}`)?.focus();
    };
    input.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') event.stopPropagation();
      if (event.key === 'Enter' && !event.isComposing) finish(true);
      else if (event.key === 'Escape') finish(false);
    });
    input.addEventListener('blur', () => finish(true));
    item.replaceChildren(input);
    input.select();
    input.focus();
  }
}
