import { hostname } from 'node:os';
import { messageOf, VarveError } from '../errors.ts';
import type { Sink } from '../sink/sink.ts';
import type { CycleReport, RepackReport } from '../snapshot/snapshot.ts';
import type { TargetEvent } from '../target/target.ts';
import { catchUpDocument } from './report.ts';
import { snapshotDocument } from './snapshot-report.ts';
import { nothingAccepted, type Accepted } from './snapshots.ts';

/** What the process that holds the local folder can be told through its socket. */
export interface OrderPorts {
  readonly startedAt: string;
  readonly signal: AbortSignal;
  /** Absent until it runs. */
  readonly sink: () => Sink | undefined;
  /** Absent where this process runs no cycles. */
  readonly snapshot: () => ((accept: Accepted) => Promise<CycleReport>) | undefined;
  /** The same. What it tells on its way goes to whoever asked. */
  readonly repack: () => Repack | undefined;
  /** What `status` tells besides the sink. */
  readonly facts: () => object;
}

export type Repack = (asked: {
  /** The repository that was looked at for the plan. */
  readonly planned: unknown;
  readonly onEvent: (event: TargetEvent) => void;
}) => Promise<RepackReport>;

export async function serveOrder(
  request: unknown,
  reply: (line: unknown) => void,
  ports: OrderPorts,
): Promise<void> {
  const { command, accept, withSnapshot, planned } = parse(request);
  const sink = ports.sink();
  const snapshot = ports.snapshot();
  const who = { process: process.pid, host: hostname(), started: ports.startedAt };
  try {
    if (command === 'who') reply(who);
    else if (command === 'status') reply({ ...who, status: sink?.status ?? null, ...ports.facts() });
    else if (command === 'backup' && sink !== undefined) {
      const done = catchUpDocument(await sink.catchUp(ports.signal));
      if (!withSnapshot) return reply({ done });
      if (snapshot === undefined) throw noCycles();
      reply({ done, snapshot: snapshotDocument(await snapshot(accept)) });
    } else if (command === 'snapshot') {
      if (snapshot === undefined) throw noCycles();
      reply({ snapshot: snapshotDocument(await snapshot(accept)) });
    } else if (command === 'repack') {
      const repack = ports.repack();
      if (repack === undefined) throw noCycles();
      reply({ repack: await repack({ planned, onEvent: (event) => reply({ event }) }) });
    } else throw new VarveError('failed', `unknown order ${JSON.stringify(command)}`);
  } catch (error) {
    const isOurs = error instanceof VarveError;
    reply({
      error: {
        code: isOurs ? error.code : 'failed',
        message: messageOf(error),
        hint: isOurs ? error.hint : null,
      },
    });
  }
}

interface Asked {
  readonly command: unknown;
  readonly accept: Accepted;
  readonly withSnapshot: boolean;
  readonly planned: unknown;
}

function parse(request: unknown): Asked {
  if (typeof request !== 'object' || request === null)
    return { command: undefined, accept: nothingAccepted, withSnapshot: false, planned: undefined };
  const accept: unknown = Reflect.get(request, 'accept');
  return {
    command: Reflect.get(request, 'command'),
    planned: Reflect.get(request, 'planned'),
    withSnapshot: has(request, 'snapshot'),
    accept: {
      rollback: has(accept, 'rollback'),
      cluster: has(accept, 'cluster'),
      shrink: has(accept, 'shrink'),
      clock: has(accept, 'clock'),
    },
  };
}

function has(of: unknown, name: string): boolean {
  return typeof of === 'object' && of !== null && Reflect.get(of, name) === true;
}

function noCycles(): VarveError {
  return new VarveError('locked', 'the process that holds the local folder runs no cycles', {
    hint: 'wait until it has ended, then run the command again',
    retryable: true,
  });
}
