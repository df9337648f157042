// What the user may set: the system prompt and the sampler. A sampler value that is null is the server's: it is not sent.

export const kFields = [
  {name: 'temperature', label: 'Temperature', hint: 'Higher is more varied', minimum: 0, maximum: 5, step: 0.05},
  {name: 'top_p', label: 'Top p', hint: 'Share of likely tokens', minimum: 0, maximum: 1, step: 0.01},
  {name: 'top_k', label: 'Top k', hint: 'Number of likely tokens', minimum: 0, maximum: 1000000, whole: true},
  {name: 'min_p', label: 'Min p', hint: 'Against the likeliest', minimum: 0, maximum: 1, step: 0.01},
  {name: 'repeat_penalty', label: 'Repeat penalty', hint: '1 is none', minimum: 0, maximum: 5, step: 0.01, above: true},
  {name: 'max_tokens', label: 'Max tokens', hint: 'Length of an answer', minimum: 1, maximum: 10000000, whole: true},
  {name: 'seed', label: 'Seed', hint: 'Same seed, same answer', minimum: 0, maximum: 4294967295, whole: true},
];

const kSettingsName = 'quern.settings';
const kSettingsVersion = 1;

// The value of a field as the user typed it: {value: number or null} or {error: text}.
export function parseField(field, text) {
  const plain = text.trim().replace(',', '.');
  if (plain === '') return {value: null};
  const value = Number(plain);
  if (!Number.isFinite(value)) return {error: 'Not a number'};
  if (field.whole && !Number.isInteger(value)) return {error: 'A whole number, please'};
  if (value < field.minimum || value > field.maximum || (field.above && value === field.minimum)) {
    return {error: field.above ? `Above ${field.minimum}, at most ${field.maximum}` : `From ${field.minimum} to ${field.maximum}`};
  }
  return {value};
}

// `from` with known fields and valid values alone.
export function cleanSamplers(from) {
  const result = {};
  for (const field of kFields) {
    const value = from?.[field.name];
    if (typeof value === 'number' && 'value' in parseField(field, String(value))) result[field.name] = value;
  }
  return result;
}

const kInitial = {system: '', samplers: {}, model: '', theme: 'auto', sidebar: true};

// Settings outlive the page where the browser lets them; a damaged or newer record counts as none.
export function loadSettings() {
  try {
    const saved = JSON.parse(localStorage.getItem(kSettingsName) ?? 'null');
    if (saved?.version !== kSettingsVersion) return {...kInitial};
    return {
      system: typeof saved.system === 'string' ? saved.system : '',
      samplers: cleanSamplers(saved.samplers),
      model: typeof saved.model === 'string' ? saved.model : '',
      theme: ['auto', 'light', 'dark'].includes(saved.theme) ? saved.theme : 'auto',
      sidebar: saved.sidebar !== false,
    };
  } catch {
    return {...kInitial};
  }
}

export function saveSettings(settings) {
  try {
    localStorage.setItem(kSettingsName, JSON.stringify({version: kSettingsVersion, ...settings}));
    return true;
  } catch {
    return false;
  }
}
