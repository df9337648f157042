// A few lines of a test runner: tests of one file share a browser and a server, run in order, and are reported one by one.
// usage of a test file: node FILE FOLDER_OF_THE_BUILT_PAGE; exit status 0 passed, 1 failed.

export class Suite {
  constructor() {
    this.tests = [];
  }

  test(name, run) {
    this.tests.push({name, run});
  }

  // before() gives what each test is called with; after(it) is called whatever happens.
  async run(before, after) {
    const only = process.env.QUERN_PAGE_TEST;
    const chosen = this.tests.filter(({name}) => !only || name.includes(only));
    let failed = 0;
    for (const {name, run} of chosen) {
      const begun = performance.now();
      let shared = null;
      try {
        shared = await before();
        await run(shared);
        console.log(`ok      ${name} (${Math.round(performance.now() - begun)} ms)`);
      } catch (error) {
        ++failed;
        console.log(`FAILED  ${name}\n${error.stack ?? error}`);
      } finally {
        if (shared) await after(shared);
      }
    }
    console.log(`${chosen.length - failed} of ${chosen.length} passed`);
    if (chosen.length === 0) ++failed;
    process.exitCode = failed > 0 ? 1 : 0;
  }
}
