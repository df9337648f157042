// A suite in which each test has a tab of its own on a server of its own, and so an empty store; after each, the tab must have met
// no violation of the content security policy, no error of a script and no request to another host.
// usage of a file with such tests: node FILE FOLDER_OF_THE_BUILT_PAGE
import assert from 'node:assert/strict';
import {launch, openTab, problemsOf} from './browser.mjs';
import {ChatPage} from './chat_page.mjs';
import {Suite} from './harness.mjs';
import {MockServer} from './mock_server.mjs';

export class PageSuite extends Suite {
  constructor(options = {}) {
    super();
    this.options = options;
  }

  // run({page, tab, server, context, reopen}); prepare(server) before the page is opened. allowed: patterns of console errors.
  test(name, run, {prepare = () => {}, allowed = []} = {}) {
    super.test(name, async ({context}) => {
      const server = new MockServer(process.argv[2]);
      await server.start();
      await prepare(server);
      const tab = await openTab(context, `${server.url}/`, allowed);
      const page = new ChatPage(tab);
      try {
        await run({page, tab, server, context});
        assert.deepEqual(await problemsOf(tab), []);
      } finally {
        if (process.env.QUERN_PAGE_SHOTS) await tab.screenshot({path: `${process.env.QUERN_PAGE_SHOTS}/${name.replace(/\W+/g, '-')}.png`}).catch(() => {});
        await tab.close();
        await server.stop();
      }
    });
  }

  async runAll() {
    const {context, close} = await launch(this.options);
    try {
      await this.run(() => ({context}), () => {});
    } finally {
      await close();
    }
  }
}

// Chromium reports each answer with an error status on the console.
export const statusError = (status) => new RegExp(`Failed to load resource: the server responded with a status of ${status}`);
export const refused = /Failed to load resource: net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)/;
