// The panel with the system prompt and the sampler. What is typed holds at once; what is wrong is marked and not taken.

import {element, find} from './dom.mjs';
import {kFields, parseField} from './settings.mjs';

export class SettingsPanel {
  // onChange({system, samplers})
  constructor(onChange) {
    this.onChange = onChange;
    this.dialog = find('#settings');
    this.system = find('#system');
    this.inputs = new Map(kFields.map((field) => [field.name, this.field(field)]));
    this.system.addEventListener('input', () => this.changed());
    find('#open-settings').addEventListener('click', () => this.dialog.showModal());
    find('#close-settings').addEventListener('click', () => this.dialog.close());
    find('#settings-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.dialog.close();
    });
    find('#reset-settings').addEventListener('click', () => {
      this.show({system: '', samplers: {}});
      this.changed();
    });
    this.dialog.addEventListener('click', (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
  }

  field(field) {
    const id = `field-${field.name}`;
    const hint = element('p', {class: 'hint', id: `${id}-hint`}, field.hint);
    const input = element('input', {
      id, type: 'text', inputmode: field.whole ? 'numeric' : 'decimal', autocomplete: 'off', placeholder: 'default', 'aria-describedby': hint.id,
      on: {input: () => this.changed()},
    });
    find('#fields').append(element('div', {class: 'field'}, element('label', {for: id}, field.label), input, hint));
    return {field, input, hint};
  }

  show({system, samplers}) {
    this.system.value = system;
    for (const [name, {input, field, hint}] of this.inputs) {
      input.value = samplers[name] ?? '';
      this.mark({input, field, hint}, null);
    }
  }

  // What the server does by itself, as a pale text in the fields.
  showDefaults(defaults) {
    for (const [name, {input, field}] of this.inputs) {
      const value = defaults[name];
      const known = typeof value === 'number' && 'value' in parseField(field, String(value)) && name !== 'seed';
      input.placeholder = known ? `default (${Number(value.toFixed(3))})` : 'default';
    }
  }

  mark({input, field, hint}, error) {
    input.setAttribute('aria-invalid', error ? 'true' : 'false');
    hint.textContent = error ?? field.hint;
  }

  changed() {
    const samplers = {};
    for (const [name, entry] of this.inputs) {
      const {value, error} = parseField(entry.field, entry.input.value);
      this.mark(entry, error ?? null);
      if (typeof value === 'number') samplers[name] = value;
    }
    this.onChange({system: this.system.value, samplers});
  }
}
