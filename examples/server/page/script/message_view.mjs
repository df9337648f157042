// One message on the page: its text, what can be done with it, how fast it came, and what went wrong.

import {branchesOf, splitReasoning} from './conversation.mjs';
import {copyText, element, icon, iconButton} from './dom.mjs';
import {formatNumber} from './gauge.mjs';
import {composes, grow} from './composer.mjs';
import {MarkdownView} from './markdown_view.mjs';

const speedText = (speed) => `${speed < 10 ? speed.toFixed(1) : formatNumber(Math.round(speed))} tokens/s`;

// "38 tokens/s · 412 tokens" for an answer, with what lies behind it as a tooltip.
function figures(node) {
  const {usage = {}, timings = {}} = node;
  const speed = timings.predicted_per_second ?? node.speed;
  const count = timings.predicted_n ?? usage.completion_tokens;
  const parts = [];
  if (speed > 0) parts.push(speedText(speed));
  if (count > 0) parts.push(`${formatNumber(count)} token${count === 1 ? '' : 's'}`);
  if (parts.length === 0) return null;
  const details = [];
  if (node.model) details.push(node.model);
  if (usage.prompt_tokens > 0) details.push(`Prompt: ${formatNumber(usage.prompt_tokens)} tokens`);
  if (timings.cache_n > 0) details.push(`of them from the cache: ${formatNumber(timings.cache_n)}`);
  if (timings.prompt_per_second > 0) details.push(`read at ${speedText(timings.prompt_per_second)}`);
  return element('span', {class: 'figures', title: details.join('\n')}, parts.join(' \u00b7 '));
}

// Where an answer ended before its time: what to tell.
function endNote(node, live) {
  if (node.error) return {bad: true, text: node.error, retry: true};
  if (live) return null;
  if (node.finish === 'length') {
    const hint = node.limit ? `the limit of ${formatNumber(node.limit)} tokens in the settings` : 'the server\u2019s limit or the end of its context';
    return {text: `Cut off: the answer reached ${hint}.`};
  }
  if (node.finish === 'stopped') return node.content === '' ? {quiet: true, text: 'Stopped.', retry: true} : null;
  if (!node.finish) return {text: 'This answer was interrupted.', retry: true};
  return node.content === '' && !node.reasoning ? {text: 'The model answered with nothing.', retry: true} : null;
}

export class MessageView {
  // actions: {edit(node, text), regenerate(node), choose(id), retryNow(node), giveUp(node)}
  constructor(conversation, node, actions) {
    this.conversation = conversation;
    this.node = node;
    this.actions = actions;
    const user = node.role === 'user';
    const title = element('h2', {class: 'off-screen'}, user ? 'You' : 'Answer');
    this.body = element('div', {class: user ? 'bubble' : 'body'});
    this.notes = element('div', {class: 'notes'});
    this.foot = element('div', {class: 'foot'});
    this.dom = element('article', {class: `message ${node.role}`, 'aria-label': user ? 'You' : 'Answer', 'data-id': node.id}, title, this.body, this.notes, this.foot);
    if (user) this.body.textContent = node.content;
    this.state = null;
  }

  // state: null for a message at rest, else what is going on: {phase: 'waiting' | 'answering' | 'retrying', text, speed}
  update(state) {
    this.state = state;
    if (this.node.role === 'assistant') this.updateText(state !== null);
    this.updateNotes();
    this.updateFoot();
  }

  updateText(live) {
    const [inline, content] = splitReasoning(this.node.content);
    const reasoning = (this.node.reasoning ?? '') + inline;
    this.body.classList.toggle('streaming', live);
    if (reasoning.trim() !== '') this.updateReasoning(reasoning, live, content !== '');
    if (content !== '' && !this.answer) {
      this.answer = element('div', {class: 'markdown'});
      this.answerView = new MarkdownView(this.answer);
      this.body.append(this.answer);
    }
    this.answerView?.update(content, live);
    const waiting = live && this.state.phase !== 'retrying' && this.node.content === '' && reasoning === '';
    if (waiting && !this.dots) {
      this.dots = element('div', {class: 'waiting', role: 'img', 'aria-label': 'Waiting for the answer'}, element('span'), element('span'), element('span'));
      this.body.prepend(this.dots);
    } else if (!waiting && this.dots) {
      this.dots.remove();
      this.dots = null;
    }
  }

  updateReasoning(reasoning, live, answering) {
    if (!this.reasoning) {
      this.summary = element('summary');
      const inside = element('div', {class: 'markdown'});
      this.reasoningView = new MarkdownView(inside);
      this.reasoning = element('details', {class: 'reasoning'}, this.summary, inside);
      this.body.prepend(this.reasoning);
    }
    const seconds = this.node.thinkSeconds;
    const label = live && !answering ? 'Thinking\u2026' : seconds >= 1 ? `Thought for ${Math.round(seconds)} s` : 'Thoughts';
    if (this.summary.textContent !== label) this.summary.textContent = label;
    this.reasoningView.update(reasoning.trim(), live && !answering);
  }

  updateNotes() {
    const {node, state} = this;
    const key = JSON.stringify([state?.phase === 'retrying' ? state.text : '', state === null, node.error, node.finish, node.content === '']);
    if (key === this.notesKey) return;
    this.notesKey = key;
    this.notes.replaceChildren();
    if (node.role !== 'assistant') return;
    if (state?.phase === 'retrying') {
      const now = element('button', {type: 'button', class: 'button', on: {click: () => this.actions.retryNow(node)}}, 'Try now');
      this.notes.append(element('div', {class: 'note', role: 'status'}, icon('warning'), element('span', {class: 'text'}, state.text), now));
      return;
    }
    const note = endNote(node, state !== null);
    if (!note) return;
    const again = note.retry && element('button', {type: 'button', class: 'button', on: {click: () => this.actions.regenerate(node)}}, 'Try again');
    this.notes.append(element('div', {class: `note ${note.bad ? 'bad' : note.quiet ? 'quiet' : ''}`, role: note.bad ? 'alert' : null}, icon('warning'), element('span', {class: 'text'}, note.text), again));
  }

  updateFoot() {
    const {node, state} = this;
    if (state !== null) {
      const text = state.speed > 0 ? speedText(state.speed) : '';
      if (this.footKey !== `live ${text}`) this.foot.replaceChildren(element('span', {class: 'figures', 'aria-hidden': 'true'}, text));
      this.footKey = `live ${text}`;
      return;
    }
    const {index, ids} = branchesOf(this.conversation, node);
    const key = `${index}/${ids.length} ${node.content === ''} ${node.error} ${node.finish} ${node.speed} ${JSON.stringify(node.usage)}`;
    if (this.footKey === key) return;
    this.footKey = key;
    const focused = this.foot.contains(document.activeElement) ? document.activeElement.getAttribute('aria-label') : null;
    const user = node.role === 'user';
    const copy = node.content === '' ? null : iconButton('copy', 'Copy message', () => copyText(splitReasoning(node.content)[1], copy));
    const act = user ? iconButton('edit', 'Edit message', () => this.edit()) : endNote(node, false)?.retry ? null : iconButton('refresh', 'Answer again', () => this.actions.regenerate(node));
    this.foot.classList.toggle('kept', ids.length > 1);
    this.foot.replaceChildren(...[this.branches(index, ids), copy, act, user ? null : figures(node)].filter(Boolean));
    if (focused) this.foot.querySelector(`[aria-label="${CSS.escape(focused)}"]:enabled`)?.focus();
  }

  branches(index, ids) {
    if (ids.length < 2) return null;
    const step = (glyph, label, to) => iconButton(glyph, label, () => this.actions.choose(ids[to]), {disabled: ids[to] === undefined});
    return element('span', {class: 'branches', role: 'group', 'aria-label': 'Versions'}, step('previous', 'Previous version', index - 1),
      element('span', {}, element('span', {'aria-hidden': 'true'}, `${index + 1}/${ids.length}`), element('span', {class: 'off-screen'}, `version ${index + 1} of ${ids.length}`)),
      step('next', 'Next version', index + 1));
  }

  // Turns the message into a field; sending it makes a new branch.
  edit() {
    const area = element('textarea', {'aria-label': 'Edit your message', value: this.node.content, rows: '1'});
    const finish = (text) => {
      editor.replaceWith(this.body);
      this.foot.hidden = false;
      if (text === undefined) this.foot.querySelector('[aria-label="Edit message"]')?.focus();
      else this.actions.edit(this.node, text);
    };
    const send = () => {
      if (area.value.trim() !== '') finish(area.value);
    };
    const editor = element('div', {class: 'editor'}, area, element('div', {class: 'row'},
      element('button', {type: 'button', class: 'button', on: {click: () => finish()}}, 'Cancel'),
      element('button', {type: 'button', class: 'button primary', on: {click: send}}, 'Send')));
    area.addEventListener('input', () => grow(area));
    editor.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        finish();
      } else if (event.key === 'Enter' && !event.shiftKey && !composes(event) && event.target === area) {
        event.preventDefault();
        send();
      }
    });
    this.body.replaceWith(editor);
    this.foot.hidden = true;
    grow(area);
    area.focus();
  }
}
