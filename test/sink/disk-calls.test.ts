import { expect, test } from 'vitest';
import type { CatchUpReport, SinkEvent } from '../../src/sink/sink.ts';
import { DiskTrial, faults, hostWith, openedSink, survive } from './disk-trial.ts';

/** Of all calls, the first and the last of each kind on each kind of path. */
async function tellingCalls(): Promise<number[]> {
  const shapes = new Map<string, number[]>();
  let at = 0;
  const trial = new DiskTrial(undefined, (call, path) => {
    at += 1;
    const shape = `${call} ${path.replaceAll(/[0-9a-f]{12}|\d+/g, '*')}`;
    const [first] = shapes.get(shape) ?? [];
    shapes.set(shape, first === undefined ? [at] : [first, at]);
  });
  await trial.run();
  await trial.assertHolds();
  return [...new Set([...shapes.values()].flat())].toSorted((a, b) => a - b);
}

test.for([...faults.keys()])(
  'whichever call to the disk meets with %s: it is told, nothing is lost or twice, and the backup goes on',
  async (name) => {
    const calls = await tellingCalls();
    expect(calls.length).toBeGreaterThan(100);
    for (const nth of calls) await survive(name, nth);
  },
);

test.for([
  { code: 'ENOSPC', ended: { code: 'no-space', exitStatus: 14, hint: expect.any(String) } },
  { code: 'EIO', ended: { code: 'target-unusable', exitStatus: 13, hint: expect.any(String) } },
])(
  'a backup ends with a status of its own where the disk says $code from some call on, for ever',
  async (given) => {
    const { code, ended } = given;
    let isOver = false;
    for (let nth = 1; !isOver; nth += 7) {
      const { disk, clock, cluster, host } = hostWith();
      for (const log of cluster.logs) log.produce(4, clock.nowMs());
      const events: SinkEvent[] = [];
      const emit = (event: SinkEvent): unknown => events.push(event);
      let calls = 0;
      let isEnding = false;
      isOver = true;
      disk.fault = (call) => {
        calls += 1;
        const isRefused =
          calls >= nth && (code === 'EIO' || /^(open|makeFolder|file\.(write|sync))$/.test(call));
        if (isRefused && !isEnding) isOver = false;
        return isRefused ? code : undefined;
      };
      const backup = async (): Promise<CatchUpReport> => {
        await using opened = await openedSink({ host, cluster, mode: 'catch-up', emit });
        const report = await opened.sink.catchUp();
        isEnding = true;
        return report;
      };
      try {
        const { missing } = await backup();
        if (isOver) continue;
        // A look that the disk refuses takes nothing from a backup that needed no other any more.
        expect(code).toBe('EIO');
        const refused = events.filter(({ type }) => type === 'disk-refused');
        expect(missing.length + refused.length, `from call ${nth} on`).toBeGreaterThan(0);
      } catch (error) {
        expect(error, `from call ${nth} on`).toMatchObject(ended);
      }
    }
  },
);
