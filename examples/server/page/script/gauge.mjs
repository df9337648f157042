// How much of the model's context the conversation that is shown fills.

import {shownPath} from './conversation.mjs';
import {find} from './dom.mjs';

export const formatNumber = (value) => value.toLocaleString();

// Tokens of the newest answer and all before it, as the server counted them; 0 if it never did.
export function usedTokens(conversation) {
  if (!conversation) return 0;
  const counted = shownPath(conversation).findLast((node) => node.usage?.prompt_tokens > 0);
  return counted ? counted.usage.prompt_tokens + (counted.usage.completion_tokens ?? 0) : 0;
}

export function showGauge(used, context) {
  const gauge = find('#gauge');
  gauge.hidden = used === 0 && !context;
  const share = context ? Math.min(used / context, 1) : 0;
  gauge.dataset.level = share > 0.9 ? 'high' : 'normal';
  find('.gauge-bar').hidden = !context;
  find('#gauge-fill').style.width = `${share * 100}%`;
  find('#gauge-text').textContent = context ? `${formatNumber(used)} / ${formatNumber(context)}` : `${formatNumber(used)} tokens`;
  const words = context ? `${formatNumber(used)} of ${formatNumber(context)} tokens of the context are used` : `${formatNumber(used)} tokens`;
  gauge.title = words;
  gauge.setAttribute('role', 'img');
  gauge.setAttribute('aria-label', words);
}
