// The field for a new message.

import {find} from './dom.mjs';

// Whether a key belongs to an input method that composes a word (Japanese, say). Safari tells by the code alone.
export const composes = (event) => event.isComposing || event.keyCode === 229;

// Makes a text area as high as its text.
export function grow(area) {
  area.style.height = 'auto';
  area.style.height = `${area.scrollHeight}px`;
}

export class Composer {
  // onSend(text) is true if the text was taken. onStop().
  constructor({onSend, onStop}) {
    this.text = find('#composer-text');
    this.send = find('#send');
    this.stop = find('#stop');
    this.onSend = onSend;
    this.busy = false;
    this.text.addEventListener('input', () => this.update());
    this.text.addEventListener('keydown', (event) => this.key(event));
    find('#composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    this.stop.addEventListener('click', onStop);
    this.update();
  }

  // Enter sends; Shift+Enter, and Enter on a keyboard on the screen, begin a line.
  key(event) {
    if (event.key !== 'Enter' || event.shiftKey || composes(event)) return;
    if (matchMedia('(pointer: coarse)').matches && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.submit();
  }

  submit() {
    const text = this.text.value;
    if (this.busy || text.trim() === '' || !this.onSend(text)) return;
    this.text.value = '';
    this.update();
  }

  setBusy(busy) {
    const focused = document.activeElement === this.stop || document.activeElement === this.send;
    this.busy = busy;
    this.update();
    if (focused) this.text.focus();
  }

  update() {
    this.send.hidden = this.busy;
    this.stop.hidden = !this.busy;
    this.send.disabled = this.text.value.trim() === '';
    grow(this.text);
  }

  focus() {
    if (!matchMedia('(pointer: coarse)').matches) this.text.focus();
  }
}
