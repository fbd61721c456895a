/** A cycle in a process of its own, which a test kills: `node cycle-process.ts <store's folder> [step at which it kills itself]`. */
import { runCycle } from '../../src/snapshot/snapshot.ts';
import { stretchByArgon2 } from '../../src/crypto/crypto.ts';
import { killThisProcess, systemHost } from '../../src/host/host.ts';

process.once('message', (sent: { settings: never; request: never; killAt: number }) => {
  let steps = 0;
  runCycle(sent.settings, sent.request, {
    host: systemHost,
    emit: () => undefined,
    signal: new AbortController().signal,
    stretch: stretchByArgon2,
    onStep() {
      steps += 1;
      if (steps === sent.killAt) killThisProcess();
    },
  }).then(
    () => process.send?.({ steps }, undefined, undefined, () => process.exit(0)),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.send?.('ready');
