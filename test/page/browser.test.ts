import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { openBrowser } from '../../scripts/page/browser.ts';
import { serveHttp, type HttpServer } from '../../src/daemon/daemon.ts';
import type { PageFacts } from '../../src/page/page.ts';
import { given } from './given.ts';
import { shop } from './shop.ts';

let browser: Browser;
let server: HttpServer;
let facts: PageFacts;

beforeEach(() => {
  facts = shop();
});

beforeAll(async () => {
  browser = await openBrowser();
  server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    facts: async () => facts.daemon,
    page: async () => facts,
  });
});

afterAll(async () => {
  await browser.close();
  await server[Symbol.asyncDispose]();
});

interface Looking extends AsyncDisposable {
  readonly page: Page;
  /** What a browser complains of: a policy that is broken, a script that fails, anything asked of another host. */
  readonly complaints: string[];
}

async function lookingAt(path: string, options: BrowserContextOptions = {}): Promise<Looking> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  const own = `http://127.0.0.1:${server.port}`;
  page.on('request', (request) => {
    if (!request.url().startsWith(own)) complaints.push(`asked for ${request.url()}`);
  });
  await page.goto(`${own}${path}`);
  return { page, complaints, [Symbol.asyncDispose]: async () => context.close() };
}

/** Of a text against the ground, as WCAG counts it; in words of the browser, whose types are not ours. */
async function contrastOf(page: Page, selector: string): Promise<number> {
  return await page.evaluate(`(() => {
    const light = (text) => {
      const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((value) => {
        const share = value / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ink = light(getComputedStyle(document.querySelector('${selector}')).color);
    const ground = light(getComputedStyle(document.documentElement).backgroundColor);
    return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
  })()`);
}

test('it reads well by day and by night, and asks nothing of any other host', async () => {
  const grounds = new Set<string>();
  for (const colorScheme of ['light', 'dark'] as const) {
    await using at = await lookingAt('/', { colorScheme });
    grounds.add(await at.page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor'));
    for (const selector of ['h1', '.lead', '.first dt', '.column .state .warn', '.good'])
      expect(await contrastOf(at.page, selector), `${colorScheme} ${selector}`).toBeGreaterThan(4);
    expect(await at.page.locator('.strata .layer.sealed').count()).toBeGreaterThan(60);
    expect(at.complaints).toEqual([]);
  }
  expect(grounds.size).toBe(2);
});

test('on a phone nothing has to be moved sideways', async () => {
  facts = given(
    [
      { topic: 'a'.repeat(249), months: [1e6] },
      { topic: 'orders', months: [1e6, 2e6] },
    ],
    {
      daemon: { ...shop().daemon, trouble: { kafka: ['x'.repeat(300)], disk: [] } },
      cycles: shop().cycles,
      repository: shop().repository,
    },
  );
  for (const path of ['/', '/?topic=orders&time=2026-11-01T00:00:00Z', `/?topic=${'a'.repeat(249)}`]) {
    await using at = await lookingAt(path, { viewport: { width: 360, height: 740 }, isMobile: true });
    const width = await at.page.evaluate('document.documentElement.scrollWidth');
    expect(width, path).toBeLessThanOrEqual(360);
  }
});

test('without scripts a layer leads to the command, a day to another, and the page comes anew by itself', async () => {
  await using at = await lookingAt('/', { javaScriptEnabled: false });
  const { page } = at;
  await page.locator('.column', { hasText: 'payments' }).locator('.layer[data-month="2026-08"]').click();
  await page.waitForURL(/topic=payments/);
  expect(await page.locator('#restore pre').first().textContent()).toBe(
    'varve restore --topic payments --to-time 2026-09-01T00:00:00Z --to-topic payments.restored --no-groups',
  );
  await page.locator('.days a', { hasText: /^12$/ }).click();
  await page.waitForURL(/08-13T00/);
  expect(await page.locator('#restore pre').last().textContent()).toBe(
    'varve restore --topic payments --to-time 2026-08-13T00:00:00Z --recreate',
  );
  await page.locator('input[name=time]').fill('2026-10-02T09:30+02:00');
  await page.locator('input[name=time]').press('Enter');
  await page.waitForURL(/10-02T09/);
  expect(await page.locator('#restore pre').first().textContent()).toContain('2026-10-02T07:30:00Z');
  expect(await page.locator('button[data-copy]:visible').count()).toBe(0);
  expect(await page.locator('meta[http-equiv=refresh]').getAttribute('content')).toContain('topic=payments');
});

test('with scripts the page renews itself in place, keeps what was opened, and says when nobody answers', async () => {
  await using at = await lookingAt('/');
  const { page } = at;
  await page.clock.install();
  await page.reload();
  await page.locator('#older summary').click();
  await page.evaluate('document.activeElement.blur()');
  facts = {
    ...shop(),
    missing: [{ topic: 'new-one', partition: undefined, message: 'TOPIC_AUTHORIZATION_FAILED' }],
  };
  await page.clock.runFor(31_000);
  await page.getByText('This backup needs somebody.').waitFor();
  expect(await page.locator('#older').getAttribute('open')).not.toBeNull();
  expect(at.complaints).toEqual([]);
  await page.route('**/*', async (route) => route.abort());
  await page.clock.runFor(31_000);
  await page.getByText('this page cannot be renewed').waitFor();
});

test('the command is copied as it stands', async () => {
  await using at = await lookingAt('/?topic=orders&time=2026-11-01T00:00:00Z', {
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const { page } = at;
  await page.locator('button[data-copy]').first().click();
  await page.getByText('copied').waitFor();
  const copied = await page.evaluate('navigator.clipboard.readText()');
  expect(copied).toBe(await page.locator('#restore pre').first().textContent());
  expect(at.complaints).toEqual([]);
});

test('a click in a layer means the day that it lies at', async () => {
  await using at = await lookingAt('/');
  const { page } = at;
  const path = page
    .locator('.column', { hasText: 'page-views' })
    .locator('.layer[data-month="2026-09"] path')
    .first();
  const box = await path.boundingBox();
  await path.click({ position: { x: 60, y: (box?.height ?? 0) * 0.52 } });
  await page.waitForURL(/topic=page-views/);
  expect(new URL(page.url()).searchParams.get('time')).toMatch(/^2026-09-1[3-7]T00:00:00Z$/);
});

test('hostile names do nothing', async () => {
  const names = [
    '<script>alert(1)</script>',
    `"><img src=x onerror=alert(1)>`,
    '</title></style></noscript><svg onload=alert(1)>',
    `'-alert(1)-'`,
    'a\u{202e}b\u{0}',
  ];
  facts = given(
    names.map((topic) => ({ topic, months: [1e6, 2e6], stopped: topic })),
    { name: names.join(' '), missing: names.map((topic) => ({ topic, partition: 1, message: topic })) },
  );
  await using at = await lookingAt('/');
  const { page } = at;
  for (const topic of names) {
    for (const query of [{ topic, time: topic }, { q: topic }]) {
      await page.goto(`http://127.0.0.1:${server.port}/?${String(new URLSearchParams(query))}`);
      expect(await page.locator('script').count()).toBe(1);
      expect(await page.locator('img, iframe, object, embed, [onload], [onerror]').count()).toBe(0);
      expect(at.complaints).toEqual([]);
      if ('topic' in query) {
        const shown = await page.locator('#restore h2').textContent();
        expect(shown).toBe(topic.replace('\u{202e}', '\\u{202e}').replace('\u{0}', '\\u{0}'));
      }
    }
  }
});
