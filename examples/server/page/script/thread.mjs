// The messages of the conversation that is shown, first to last, or a word of welcome.

import {shownPath} from './conversation.mjs';
import {element, find} from './dom.mjs';
import {MessageView} from './message_view.mjs';

const kSuggestions = ['Who are you?', 'What is the capital of France?', 'Tell me a story about a mill.', 'What is the KV cache?'];

export class Thread {
  // actions: those of MessageView, and suggest(text)
  constructor(root, scroll, actions) {
    this.root = root;
    this.scroll = scroll;
    this.actions = actions;
    this.views = new Map();
    this.conversation = null;
    this.pending = new Map();  // id -> state, until the next frame
  }

  // stateOf(id): what is going on with a message, or null.
  show(conversation, stateOf) {
    if (conversation !== this.conversation) {
      this.views.clear();
      this.conversation = conversation;
      this.scroll.stuck = true;
    }
    const path = conversation ? shownPath(conversation) : [];
    const shown = path.map((node) => {
      if (!this.views.has(node.id)) this.views.set(node.id, new MessageView(conversation, node, this.actions));
      const view = this.views.get(node.id);
      view.update(stateOf(node.id));
      return view.dom;
    });
    if (shown.length === 0) shown.push(this.welcome());
    this.arrange(shown);
    this.scroll.follow();
  }

  // Moves nothing that stays: an element that is put in again loses its focus and its place.
  arrange(shown) {
    const kept = new Set(shown);
    for (const child of [...this.root.children]) if (!kept.has(child)) child.remove();
    shown.forEach((dom, i) => {
      if (this.root.children[i] !== dom) this.root.insertBefore(dom, this.root.children[i] ?? null);
    });
  }

  // A message grew; shown with the next frame, however many pieces come before it.
  changed(id, state) {
    if (!this.views.has(id)) return;
    if (this.pending.size === 0) requestAnimationFrame(() => this.flush());
    this.pending.set(id, state);
  }

  flush() {
    for (const [id, state] of this.pending) this.views.get(id)?.update(state);
    this.pending.clear();
    this.scroll.follow();
  }

  // To be called before a message comes to rest, so that no frame shows it as it was.
  forget(id) {
    this.pending.delete(id);
  }

  welcome() {
    const buttons = kSuggestions.map((text) => element('button', {type: 'button', on: {click: () => this.actions.suggest(text)}}, text));
    const mark = find('.brand .mark').cloneNode(true);
    return element('div', {class: 'welcome'}, mark, element('h2', {}, 'What would you like to ask?'),
      element('p', {}, 'Answers come from the model on this server.'), element('div', {class: 'suggestions', role: 'group', 'aria-label': 'Suggestions'}, buttons));
  }
}
