/** A real Chromium: that of the machine, or Debian's, installed when it is missing and we may. */
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { aptGet } from '../tools/apt.ts';

const names = ['chromium', 'chromium-browser', 'google-chrome'];

export async function openBrowser(): Promise<Browser> {
  return await chromium.launch({
    executablePath: await browserPath(),
    timeout: 120_000,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--font-render-hinting=none'],
  });
}

async function browserPath(): Promise<string> {
  const found = await onPath();
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0)
    throw new Error('no chromium on PATH: install it (Debian: apt-get install chromium)');
  try {
    await aptGet(['update', '-qq']);
    await aptGet(['install', '-y', '-qq', '--no-install-recommends', 'chromium']);
  } catch (cause) {
    throw new Error('no chromium on PATH, and apt-get cannot install it: install it by hand', { cause });
  }
  const installed = await onPath();
  if (installed === undefined) throw new Error('apt-get installed chromium, but it is not on PATH');
  return installed;
}

async function onPath(): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const name of names) {
      const path = join(folder, name);
      try {
        await access(path, constants.X_OK);
        return path;
      } catch {
        // not there: the next one
      }
    }
  }
  return undefined;
}
