import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Stretch } from '../crypto/crypto.ts';
import { systemHost } from '../host/host.ts';
import { takeTurn } from './turn.ts';

type Answer = { readonly stretched: Uint8Array } | { readonly problem: string };

/** It takes hundreds of megabytes: two at once would not fit into a pod's limit. */
const turnName = `varve argon2 of ${process.getuid?.() ?? 'anybody'}`;
/** Where the processor is short, one argon2 takes half a minute. */
const turnWaitMaxMs = 90_000;

/** The passphrase crosses to the other process as a message: never as an argument, never in its environment. */
export const stretchInChild: Stretch = async (request) => {
  const end = await takeTurn(turnName, { clock: systemHost.clock, waitMaxMs: turnWaitMaxMs });
  try {
    return await stretch(request);
  } finally {
    end();
  }
};

const stretch: Stretch = async (request) => {
  const child = fork(new URL('argon2-child.ts', import.meta.url), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
  });
  try {
    const answer = await new Promise<Answer>((resolve, reject) => {
      child.once('message', (message: Answer) => resolve(message));
      child.once('error', reject);
      child.once('exit', (status, killedBy) =>
        reject(
          new Error(`argon2 ended with ${killedBy ?? status}: it needs as much memory as the slot says`),
        ),
      );
      child.send(request, (error) => {
        if (error !== null) reject(error);
      });
    });
    if ('problem' in answer) throw new Error(`argon2 failed: ${answer.problem}`);
    return Buffer.from(answer.stretched);
  } finally {
    // Its memory is taken until it is gone: the turn is not given back before.
    if (child.kill('SIGKILL')) await once(child, 'exit');
  }
};
