import { test } from 'vitest';
import { DiskTrial, faults, survive } from '../sink/disk-trial.ts';

test.for([...faults.keys()])(
  'whichever of all calls to the disk meets with %s: it is told, nothing is lost or twice, and the backup goes on',
  async (name) => {
    const trial = new DiskTrial();
    await trial.run();
    for (let nth = 1; nth <= trial.disk.calls; nth += 1) await survive(name, nth);
  },
);
