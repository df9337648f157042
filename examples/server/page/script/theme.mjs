// Light, dark, or as the system has it.

import {find, icon} from './dom.mjs';

const kOrder = ['auto', 'light', 'dark'];
const kLabels = {auto: 'Colours: as the system', light: 'Colours: light', dark: 'Colours: dark'};

export function showTheme(theme) {
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const dark = theme === 'dark' || (theme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
  const button = find('#theme');
  button.replaceChildren(icon(dark ? 'moon' : 'sun'));
  button.setAttribute('aria-label', kLabels[theme]);
  button.title = kLabels[theme];
}

export const nextTheme = (theme) => kOrder[(kOrder.indexOf(theme) + 1) % kOrder.length];
