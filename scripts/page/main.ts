/** Makes docs/page.png: what the page of a small shop looks like, from made-up facts, in a real browser. */
import { serveHttp } from '../../src/daemon/daemon.ts';
import { shop } from '../../test/page/shop.ts';
import { openBrowser } from './browser.ts';

const facts = shop();
await using server = await serveHttp({
  host: '127.0.0.1',
  port: 0,
  facts: async () => facts.daemon,
  page: async () => facts,
});
await using browser = await openBrowser();
const [, , path = 'docs/page.png', query = '', scheme = 'light', width = '1240', height = '980'] =
  process.argv;
const page = await browser.newPage({
  viewport: { width: Number(width), height: Number(height) },
  colorScheme: scheme === 'dark' ? 'dark' : 'light',
});
await page.goto(`http://127.0.0.1:${server.port}/${query}`);
await page.screenshot({ path, fullPage: height === '0' });
console.log(path);
