import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { Cycles, type CyclesOptions } from '../../src/daemon/cycles.ts';
import { Filling } from '../../src/daemon/filling.ts';
import { Ping } from '../../src/daemon/ping.ts';
import { nothingAccepted } from '../../src/daemon/snapshots.ts';
import { VarveError } from '../../src/errors.ts';
import { systemHost } from '../../src/host/host.ts';
import type { CycleReport } from '../../src/snapshot/snapshot.ts';

const report: CycleReport = {
  id: '20261121T020000Z-0001',
  seq: 1,
  repository: 'r',
  takenMs: 0,
  tookMs: 250,
  phasesMs: {},
  partitions: 0,
  segments: 0,
  rawBytes: 0,
  newBytes: 0,
  newPacks: 0,
  linkedBytes: 0,
  linkedPacks: 0,
  copiedBytes: 0,
  copiedPacks: 0,
  expired: [],
  held: [],
  vanishedTopics: [],
  damaged: [],
  warnings: [],
  freedSegments: 0,
  freedBytes: 0,
  settingsAgeMs: null,
  verified: true,
  targetFreeBytes: 5,
  durable: [],
  finding: null,
};

interface Place extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly calls: string[];
  readonly authorizations: (string | undefined)[];
  /** Until so many calls have come. */
  came(count: number): Promise<void>;
}

/** A dead-man's switch; `answer` null leaves the caller waiting. */
async function place(answer: (path: string) => number | null = () => 200): Promise<Place> {
  const calls: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    calls.push(request.url ?? '');
    authorizations.push(request.headers.authorization);
    server.emit('came');
    const status = answer(request.url ?? '');
    if (status !== null) response.writeHead(status).end('OK');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has a port');
  const { port } = address;
  return {
    url: `http://127.0.0.1:${port}/secret-token`,
    port,
    calls,
    authorizations,
    async came(count) {
      while (calls.length < count) await once(server, 'came');
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Timers that run out when the test says so. */
function handClock(): { clock: typeof systemHost.clock; runOut: () => void; delays: number[] } {
  const timers = new Set<() => void>();
  const delays: number[] = [];
  return {
    delays,
    runOut: () => timers.forEach((run) => run()),
    clock: {
      nowMs: () => 0,
      after(delayMs, run) {
        delays.push(delayMs);
        timers.add(run);
        return { cancel: () => timers.delete(run) };
      },
    },
  };
}

async function cycleThat(take: CyclesOptions['take'], ping: Ping): Promise<void> {
  const stop = new AbortController();
  const cycles = new Cycles({
    host: systemHost,
    timetable: { schedule: '0 2 * * *', timezone: 'UTC' },
    onStart: false,
    record: { sinceMs: Date.now(), lastAttemptMs: undefined, lastSuccessMs: undefined, isPublished: false },
    take,
    emit: () => undefined,
    ping,
    signal: stop.signal,
  });
  const following = cycles.follow();
  await cycles.request(nothingAccepted).catch(() => undefined); // how it ended is for the ping to tell
  stop.abort();
  await following;
}

test('each moment has its address: the end of the path, before what is asked', async () => {
  await using at = await place();
  const ping = new Ping({ clock: systemHost.clock, url: `${at.url}/?create=1`, warn: expect.unreachable });
  for (const moment of ['start', 'success', 'fail'] as const) {
    ping.tell(moment);
    await ping.settled();
  }

  expect(at.calls).toEqual([
    '/secret-token/start?create=1',
    '/secret-token/?create=1',
    '/secret-token/fail?create=1',
  ]);
});

test('a cycle that publishes is told when it begins and when it has', async () => {
  await using at = await place();
  const ping = new Ping({ clock: systemHost.clock, url: at.url, warn: expect.unreachable });
  await cycleThat(async () => {
    await at.came(1);
    return report;
  }, ping);

  expect(at.calls).toEqual(['/secret-token/start', '/secret-token']);
});

test('a cycle that fails is told before the daemon has stopped', async () => {
  await using at = await place();
  const ping = new Ping({ clock: systemHost.clock, url: at.url, warn: expect.unreachable });
  await cycleThat(async () => {
    await at.came(1);
    throw new VarveError('no-space', 'the target is full', { hint: 'make room' });
  }, ping);

  expect(at.calls).toEqual(['/secret-token/start', '/secret-token/fail']);
});

test('a cycle that was told to stop has not failed', async () => {
  await using at = await place();
  const ping = new Ping({ clock: systemHost.clock, url: at.url, warn: expect.unreachable });
  await cycleThat(async () => {
    await at.came(1);
    throw new VarveError('interrupted', 'told to stop', { hint: 'run it again' });
  }, ping);

  expect(at.calls).toEqual(['/secret-token/start']);
});

test('no answer within ten seconds is a warning, and no more', async () => {
  await using at = await place(() => null);
  const { clock, runOut, delays } = handClock();
  const warnings: string[] = [];
  const ping = new Ping({ clock, url: at.url, warn: (message) => warnings.push(message) });
  ping.tell('success');
  await at.came(1);
  runOut();
  await ping.settled();

  expect(delays).toEqual([10_000]);
  expect(warnings).toEqual(['observe.ping: success could not be told: no answer within 10 s']);
});

test('how a cycle ended overtakes a start that nobody answers', async () => {
  await using at = await place((path) => (path.endsWith('/start') ? null : 200));
  const { clock } = handClock();
  const ping = new Ping({ clock, url: at.url, warn: expect.unreachable });
  ping.tell('start');
  await at.came(1);
  ping.tell('success');
  await ping.settled();

  expect(at.calls).toEqual(['/secret-token/start', '/secret-token']);
});

test('what goes wrong is told without the address', async () => {
  const warnings: string[] = [];
  const warn = (message: string): number => warnings.push(message);
  const { clock } = handClock();
  let port = 0;
  {
    await using at = await place(() => 404);
    port = at.port;
    const url = at.url.replace('//', '//name:pass%40word@');
    const refused = new Ping({ clock, url, warn });
    refused.tell('success');
    await refused.settled();
    expect(at.authorizations).toEqual([`Basic ${btoa('name:pass@word')}`]);
  }
  const away = new Ping({ clock, url: `http://127.0.0.1:${port}/secret-token`, warn });
  away.tell('fail');
  await away.settled();

  expect(warnings).toEqual([
    'observe.ping: success was answered with status 404',
    'observe.ping: fail could not be told: ECONNREFUSED',
  ]);
});

test('how long a disk lasts is told from half an hour on, and only while it fills', () => {
  const hourMs = 3_600_000;
  const filling = new Filling();
  filling.note({ atMs: 0, freeBytes: 1000 });
  filling.note({ atMs: hourMs / 4, freeBytes: 950 });
  expect(filling.untilMs(100)).toBeUndefined();

  filling.note({ atMs: hourMs, freeBytes: 800 });
  expect(filling.untilMs(100)).toBe(3.5 * hourMs);
  filling.note({ atMs: 2 * hourMs, freeBytes: 1200 });
  expect(filling.untilMs(100)).toBeUndefined();
  filling.note({ atMs: 7.5 * hourMs, freeBytes: 650 });
  expect(filling.untilMs(100)).toBe(5.5 * hourMs);
  filling.note({ atMs: 0, freeBytes: 650 });
  expect(filling.untilMs(100)).toBeUndefined();
});
