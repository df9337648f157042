// Wires the parts of the page together and holds what they share: the conversations, the one that is shown, the answers that
// are being made, and the settings.

import {Composer} from './composer.mjs';
import {Connection} from './connection.mjs';
import {addMessage, choose, newConversation, nodeOf, shownPath} from './conversation.mjs';
import {find, icon} from './dom.mjs';
import {Generation} from './generation.mjs';
import {showGauge, usedTokens} from './gauge.mjs';
import {announce, showToast} from './notices.mjs';
import {StickyScroll} from './scroll.mjs';
import {loadSettings, saveSettings} from './settings.mjs';
import {SettingsPanel} from './settings_panel.mjs';
import {Sidebar} from './sidebar.mjs';
import {Store} from './store.mjs';
import {nextTheme, showTheme} from './theme.mjs';
import {Thread} from './thread.mjs';
import {download, exportText, importText, newOnes} from './transfer.mjs';

class App {
  constructor() {
    this.settings = loadSettings();
    this.conversations = new Map();
    this.current = null;             // the conversation that is shown; null before the first message of a new one
    this.generations = new Map();    // id of a conversation -> its Generation
    this.store = new Store({onProblem: (text) => this.problem(text), onChange: (id) => this.changedElsewhere(id)});
    this.connection = new Connection({onModels: (models) => this.showModels(models), onDefaults: () => this.showModelFacts()});
    this.scroll = new StickyScroll(find('#scroller'), find('#jump'));
    this.thread = new Thread(find('#thread'), this.scroll, {
      edit: (node, text) => this.send(text, node.parent),
      regenerate: (node) => this.regenerate(node),
      choose: (id) => this.choose(id),
      retryNow: () => this.generation?.retryNow(),
      suggest: (text) => this.send(text),
    });
    this.composer = new Composer({onSend: (text) => this.send(text), onStop: () => this.stop()});
    this.sidebar = new Sidebar({
      open: (id) => this.open(id), rename: (id, title) => this.rename(id, title), remove: (id) => this.remove(id),
      toggled: (open) => this.remember({sidebar: open}),
    });
    this.panel = new SettingsPanel((changes) => this.changeSettings(changes));
  }

  async start() {
    for (const node of document.querySelectorAll('[data-icon]')) node.prepend(icon(node.dataset.icon));
    showTheme(this.settings.theme);
    this.sidebar.start(this.settings.sidebar);
    this.panel.show(this.settings);
    this.listen();
    this.draw();
    this.composer.focus();
    this.connection.connect();
    for (const conversation of await this.store.load()) this.conversations.set(conversation.id, conversation);
    this.draw();
  }

  listen() {
    const mac = /Mac|iPhone|iPad/.test(navigator.platform);
    if (mac) find('#new-chat-keys').textContent = '\u2318 K';
    find('#new-chat').addEventListener('click', () => this.newChat());
    find('#model').addEventListener('change', ({target}) => this.useModel(target.value));
    find('#theme').addEventListener('click', () => {
      this.remember({theme: nextTheme(this.settings.theme)});
      showTheme(this.settings.theme);
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => showTheme(this.settings.theme));
    find('#export').addEventListener('click', () => this.exportAll());
    find('#import').addEventListener('click', () => find('#import-file').click());
    find('#import-file').addEventListener('change', ({target}) => this.importFile(target));
    document.addEventListener('keydown', (event) => this.key(event));
    addEventListener('pagehide', () => this.generations.forEach(({conversation}) => this.store.save(conversation)));
  }

  key(event) {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      if (!document.querySelector('dialog[open]')) this.newChat();
    } else if (event.key === 'Escape' && !event.isComposing && !document.querySelector('dialog[open]')) {
      this.stop();
    }
  }

  get generation() {
    return this.current ? this.generations.get(this.current.id) : undefined;
  }

  draw() {
    this.thread.show(this.current, (id) => {
      const generation = this.generation;
      return generation?.node.id === id ? generation.state : null;
    });
    this.sidebar.show([...this.conversations.values()], this.current?.id ?? null, (id) => this.generations.has(id));
    this.composer.setBusy(this.generation !== undefined);
    this.drawGauge();
    document.title = this.current?.title ? `${this.current.title} \u2013 Quern` : 'Quern';
  }

  drawGauge() {
    showGauge(usedTokens(this.current), this.connection.context(this.settings.model));
  }

  // Models and settings.

  showModels(models) {
    const select = find('#model');
    const names = models.map(({id}) => id);
    select.replaceChildren(...names.map((name) => new Option(name, name)));
    select.disabled = names.length === 0;
    if (names.length === 0) select.append(new Option('No model'));
    this.useModel(names.includes(this.settings.model) ? this.settings.model : names[0] ?? '');
  }

  useModel(model) {
    const select = find('#model');
    if (![...select.options].some(({value}) => value === model)) return;
    select.value = model;
    select.title = model;
    this.remember({model});
    if (this.current && !this.generation) this.current.model = model;
    this.showModelFacts();
    this.connection.learnDefaults(model);
  }

  showModelFacts() {
    this.panel.showDefaults(this.connection.samplers(this.settings.model));
    this.drawGauge();
  }

  remember(changes) {
    Object.assign(this.settings, changes);
    if (!saveSettings(this.settings) && !this.settingsLost) {
      this.settingsLost = true;
      showToast('This browser does not keep the settings.');
    }
  }

  changeSettings({system, samplers}) {
    this.remember({system, samplers});
    if (!this.current) return;
    Object.assign(this.current, {system, samplers: {...samplers}});
    this.store.save(this.current);
  }

  // Conversations.

  newChat() {
    this.current = null;
    this.panel.show(this.settings);
    this.draw();
    this.sidebar.closeDrawer();
    this.composer.focus();
  }

  open(id) {
    this.current = this.conversations.get(id) ?? null;
    if (this.current) {
      this.panel.show(this.current);
      if (this.current.model) this.useModel(this.current.model);
    }
    this.draw();
    this.sidebar.closeDrawer();
  }

  rename(id, title) {
    const conversation = this.conversations.get(id);
    if (!conversation) return;
    conversation.title = title;
    this.store.save(conversation);
    this.draw();
  }

  remove(id) {
    const conversation = this.conversations.get(id);
    this.generations.get(id)?.stop();
    this.conversations.delete(id);
    this.store.remove(id);
    if (this.current?.id === id) this.newChat();
    else this.draw();
    showToast(`Deleted \u201c${conversation.title || 'Untitled'}\u201d.`, {label: 'Undo', click: () => {
      this.conversations.set(id, conversation);
      this.store.save(conversation);
      this.draw();
    }});
  }

  choose(id) {
    if (this.generation) return;
    choose(this.current, id);
    this.store.save(this.current);
    this.draw();
  }

  async changedElsewhere(id) {
    if (this.generations.has(id)) return;
    const conversation = await this.store.read(id);
    if (conversation) this.conversations.set(id, conversation);
    else this.conversations.delete(id);
    if (this.current?.id === id) this.current = conversation;
    this.draw();
  }

  problem(text) {
    if (text === this.lastProblem) return;
    this.lastProblem = text;
    showToast(text);
  }

  exportAll() {
    if (this.conversations.size === 0) {
      showToast('There is nothing to export yet.');
      return;
    }
    download(`quern-conversations-${new Date().toISOString().slice(0, 10)}.json`, exportText([...this.conversations.values()]));
  }

  async importFile(input) {
    const [file] = input.files;
    input.value = '';
    if (!file) return;
    try {
      const incoming = importText(await file.text());
      const added = newOnes(incoming, [...this.conversations.values()]);
      for (const conversation of added) {
        this.conversations.set(conversation.id, conversation);
        await this.store.save(conversation);
      }
      const known = incoming.length - added.length;
      showToast(`Imported ${added.length} conversation${added.length === 1 ? '' : 's'}${known > 0 ? `; ${known} were here already` : ''}.`);
      this.draw();
    } catch (error) {
      showToast(`Nothing was imported. ${error.message}`);
    }
  }

  // Answers.

  // Adds a message below `parent` (by default the last one shown) and asks for an answer. False if it was not taken.
  send(text, parent) {
    if (this.generation) return false;
    if (this.settings.model === '') {
      showToast('There is no model to ask yet.');
      return false;
    }
    if (!this.current) {
      this.current = newConversation(this.settings);
      this.conversations.set(this.current.id, this.current);
    }
    const below = parent === undefined ? shownPath(this.current).at(-1)?.id ?? null : parent;
    this.answer(addMessage(this.current, below, 'user', text));
    return true;
  }

  regenerate(node) {
    if (this.generation) return;
    const {nodes} = this.current;
    // An attempt that brought nothing leaves no branch behind.
    if (node.content === '' && !node.reasoning && !nodes.some(({parent}) => parent === node.id)) nodes.splice(nodes.indexOf(node), 1);
    this.answer(nodeOf(this.current, node.parent));
  }

  async answer(question) {
    const conversation = this.current;
    const node = addMessage(conversation, question.id, 'assistant', '');
    const generation = new Generation(conversation, node, this.settings.model, {
      changed: (state) => this.thread.changed(node.id, state),
      save: () => this.store.save(conversation),
      needKey: (text) => this.connection.askKey(text),
      unreachable: () => this.connection.connect(),
    });
    conversation.model = this.settings.model;
    this.generations.set(conversation.id, generation);
    this.store.save(conversation);
    this.scroll.stuck = true;
    this.draw();
    announce('The answer begins.');
    await generation.run();
    this.generations.delete(conversation.id);
    conversation.updated = Date.now();
    if (this.conversations.has(conversation.id)) this.store.save(conversation);
    this.thread.forget(node.id);
    this.draw();
    if (!node.error) this.connection.learnDefaults(node.model, true);
    announce(node.error ? node.error : node.finish === 'stopped' ? 'Stopped.' : 'The answer is complete.');
  }

  stop() {
    this.generation?.stop();
  }
}

new App().start();
