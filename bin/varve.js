#!/usr/bin/env node
// Starts src/main.ts on a Node that can: this one, or else the one that `npm install` put beside us. Plain JavaScript,
// and nothing newer than what Node 18 reads, because an older Node is exactly who has to read it.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = new URL('../src/main.ts', import.meta.url);
const needed = [24, 7];

if (isNewEnough(process.versions.node)) {
  await import(main.href);
} else {
  startOn(installedNode());
}

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > needed[0] || (major === needed[0] && minor >= needed[1]);
}

/** The binary of the `node` package, or undefined where it is not installed. */
function installedNode() {
  try {
    const path = createRequire(import.meta.url).resolve('node/package.json');
    const manifest = JSON.parse(readFileSync(path, 'utf8'));
    return isNewEnough(manifest.version) ? join(dirname(path), manifest.bin.node) : undefined;
  } catch {
    return undefined;
  }
}

function startOn(node) {
  if (node === undefined) return giveUp(`this is Node ${process.versions.node}`);
  const child = spawn(node, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: 'inherit' });
  const passed = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];
  for (const signal of passed) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => giveUp(`${node} does not start (${error.code ?? error.message})`));
  child.on('exit', (code, signal) => {
    process.exit(signal === null ? code : 128 + constants.signals[signal]);
  });
}

function giveUp(why) {
  process.stderr.write(
    `varve: needs Node ${needed.join('.')} or later, and ${why}: run npm install here, or install a newer Node\n`,
  );
  process.exit(1);
}
