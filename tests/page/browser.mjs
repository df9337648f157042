// Chromium for the tests: found on this machine, driven by playwright-core, with an empty profile of its own.
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {chromium} from 'playwright-core';

const kFlags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

export function chromiumPath() {
  const candidates = [process.env.QUERN_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  return candidates.find((path) => path && existsSync(path)) ?? null;
}

export async function launch(options = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'quern-page-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath(), args: kFlags, headless: true, viewport: {width: 1280, height: 800}, acceptDownloads: true, ...options,
  });
  const close = async () => {
    await context.close();
    rmSync(profile, {recursive: true, force: true});
  };
  return {context, close};
}

// A tab that remembers every violation of the page's policy, every error of its scripts and every request to elsewhere.
// `allowed`: patterns of what a test expects on the console.
export async function openTab(context, url, allowed = []) {
  const tab = await context.newPage();
  tab.setDefaultTimeout(10000);
  tab.problems = [];
  await tab.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  tab.on('pageerror', (error) => tab.problems.push(`script: ${error.message}`));
  tab.on('console', (message) => {
    if (message.type() === 'error' && !allowed.some((pattern) => pattern.test(message.text()))) tab.problems.push(`console: ${message.text()}`);
  });
  tab.on('request', (request) => {
    const address = request.url();
    if (!address.startsWith(url) && !/^(data|blob):/.test(address)) tab.problems.push(`request to ${address}`);
  });
  await tab.goto(url);
  return tab;
}

export async function problemsOf(tab) {
  return [...tab.problems, ...(await tab.evaluate(() => globalThis.violations))];
}
