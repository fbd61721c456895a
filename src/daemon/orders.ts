import { hostname } from 'node:os';
import { messageOf, VarveError } from '../errors.ts';
import type { Clock } from '../host/host.ts';
import type { Sink } from '../sink/sink.ts';
import type { CycleReport, RepackReport } from '../snapshot/snapshot.ts';
import type { TargetEvent } from '../target/target.ts';
import { catchUpDocument } from './report.ts';
import { snapshotDocument } from './snapshot-report.ts';
import { nothingAccepted, type Accepted } from './snapshots.ts';
import { tellingWaits, untilStarted, type Ahead, type OrderWaits } from './waiting.ts';

/** Who holds the local folder: what it cannot do now it never will, once it has started. */
export type Holder = 'run' | 'backup' | 'snapshot';

/** What the process that holds the local folder can be told through its socket. */
export interface OrderPorts {
  readonly holder: Holder;
  readonly startedAt: string;
  /** Resolves once everything below is there that ever will be. */
  readonly started: Promise<void>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Absent until it runs. */
  readonly sink: () => Sink | undefined;
  /** Absent where this process runs no cycles. Says when the cycle begins. */
  readonly snapshot: () => ((accept: Accepted, begun: () => void) => Promise<CycleReport>) | undefined;
  /** The same. What it tells on its way goes to whoever asked. */
  readonly repack: () => Repack | undefined;
  /** What an order waits for that was not begun yet. */
  readonly ahead: () => Ahead | undefined;
  /** What `status` tells besides the sink. */
  readonly facts: () => object;
}

export type Repack = (asked: {
  /** The repository that was looked at for the plan. */
  readonly planned: unknown;
  readonly onEvent: (event: TargetEvent) => void;
  readonly begun: () => void;
}) => Promise<RepackReport>;

export async function serveOrder(
  request: unknown,
  reply: (line: unknown) => void,
  ports: OrderPorts,
): Promise<void> {
  const asked = parse(request);
  const { command } = asked;
  const who = { process: process.pid, host: hostname(), started: ports.startedAt };
  try {
    if (command === 'who') reply(who);
    else if (command === 'status') reply({ ...who, status: ports.sink()?.status ?? null, ...ports.facts() });
    else if (command === 'backup' || command === 'snapshot' || command === 'repack')
      reply(await carryOut({ ...asked, command }, { ...ports, tell: (event) => reply({ event }) }));
    else throw new VarveError('failed', `unknown order ${JSON.stringify(command)}`);
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

async function carryOut(
  { command, accept, withSnapshot, planned }: Asked & { command: 'backup' | 'snapshot' | 'repack' },
  ports: OrderPorts & { readonly tell: (event: TargetEvent | OrderWaits) => void },
): Promise<object> {
  const { holder, started, startedAt: since, clock, signal, tell } = ports;
  await untilStarted({ started, since, clock, signal, tell });
  const sink = ports.sink();
  const snapshot = ports.snapshot();
  const repack = ports.repack();
  const publish = async (): Promise<object> => {
    if (snapshot === undefined) throw takesNoSuch(holder, command);
    return snapshotDocument(await tellingWaits(ports, async (begun) => snapshot(accept, begun)));
  };
  if (command === 'snapshot') return { snapshot: await publish() };
  if (command === 'repack') {
    if (repack === undefined) throw takesNoSuch(holder, command);
    return { repack: await tellingWaits(ports, async (begun) => repack({ planned, onEvent: tell, begun })) };
  }
  // Before anything is read for it.
  if (sink === undefined || (withSnapshot && snapshot === undefined)) throw takesNoSuch(holder, command);
  const done = catchUpDocument(await sink.catchUp(signal));
  return withSnapshot ? { done, snapshot: await publish() } : { done };
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

function takesNoSuch(holder: Holder, command: string): VarveError {
  if (holder === 'run') {
    return new VarveError('locked', 'the daemon that holds the local folder has no repository', {
      hint: 'give its configuration one and start it again, or stop it and run the command again',
    });
  }
  const message = `the local folder is held by process ${process.pid}, varve ${holder}, which takes no order to ${command}`;
  const hint = 'wait until it has ended, then run the command again';
  return new VarveError('locked', message, { hint, retryable: true });
}
