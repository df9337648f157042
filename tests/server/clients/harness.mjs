// What the tests of clients share: where the server is, and how tests are run and counted.
import assert from 'node:assert/strict';

export const base = process.env.QUERN_TEST_URL;
export const keyed = process.env.QUERN_TEST_KEYED_URL; // another server, which wants the key "secret"
export const question = [{ role: 'user', content: 'What is the capital of France?' }];

const tests = [];
export const test = (name, body) => tests.push([name, body]);

export async function rejected(promise, kind, check = () => true) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof kind, `expected ${kind.name}, found ${error?.constructor?.name}: ${error?.message}`);
    assert.ok(check(error), `unexpected error: ${error.status} ${error.code} ${error.message}`);
    return;
  }
  assert.fail(`expected ${kind.name}, but it went through`);
}

export async function until(condition, what, seconds = 10) {
  const end = Date.now() + seconds * 1000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/// What the server is generating now.
export async function running() {
  const slots = await (await fetch(`${base}/slots`)).json();
  return slots.filter((slot) => slot.is_processing).length;
}

export async function run() {
  let failures = 0;
  for (const [name, body] of tests) {
    try {
      await body();
      console.log(`ok      ${name}`);
    } catch (error) {
      failures += 1;
      console.log(`FAILED  ${name}\n${error.stack ?? error}`);
    }
  }
  assert.ok(tests.length > 0);
  process.exit(failures > 0 ? 1 : 0);
}
