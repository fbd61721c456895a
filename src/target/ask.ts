import { fork, type ChildProcess } from 'node:child_process';
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { VarveError } from '../errors.ts';
import { steadyMs, type Host, type Timer } from '../host/host.ts';
import type { SnapshotSettings } from '../snapshot/snapshot.ts';
import type { TargetEvent } from './context.ts';
import { pouredFds, type FromChild, type ToChild } from './messages.ts';
import type { Orders } from './orders.ts';
import { readPoured } from './poured.ts';
import { heard } from './told.ts';

export type OrderName = keyof Orders;
export type OrderParams<Name extends OrderName> = Parameters<Orders[Name]>[1];
export type OrderResult<Name extends OrderName> = Awaited<ReturnType<Orders[Name]>>;

export interface Order<Name extends OrderName> {
  readonly order: Name;
  /** Or what makes them, while the child is starting. */
  readonly params: OrderParams<Name> | (() => Promise<OrderParams<Name>>);
  readonly settings: SnapshotSettings;
  readonly onEvent?: (event: TargetEvent) => void;
  readonly onItem?: (item: unknown) => Promise<void>;
  /** What the order pours out, in chunks of any size, each pipe in order; the child waits while they are not read. */
  readonly onPoured?: (chunk: Buffer, pipe: number) => void;
  /** Given a way to tell the order more, once it has begun. */
  readonly onBegun?: (tell: (told: unknown) => void) => void;
  readonly signal?: AbortSignal;
  /** A call to the target that takes longer than this hangs. */
  readonly stuckMs?: number;
  /** Told once the child has been started: its end is known by its `exit` alone. */
  readonly onChild?: (child: ChildProcess) => void;
}

const stuckAfterMs = 30_000;
const lookEveryMs = 500;
const abortGraceMs = 10_000;
const lastWordsMax = 4000;

/**
 * Runs an order in a child process of its own. A target that hangs ends it with `target-unusable`, and the child is
 * left behind: the kernel lets go of it when the target comes back.
 */
export async function runOrder<Name extends OrderName>(
  host: Host,
  order: Order<Name>,
): Promise<OrderResult<Name>> {
  const child = fork(new URL('child.ts', import.meta.url), [], {
    env: { ...process.env, ...compileCache() },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc', ...pouredFds.map(() => 'pipe' as const)],
    // What a cycle makes and drops are blocks outside of the heap: a small one keeps the whole small.
    execArgv: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=1'],
  });
  order.onChild?.(child);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both sides are typed by one table
  return (await new Asking(host, child, order).answer()) as OrderResult<Name>;
}

/** What this process compiled need not be compiled again. */
function compileCache(): { NODE_COMPILE_CACHE?: string } {
  const folder = getCompileCacheDir(); // of this version of Node, in the one that all versions share
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) };
}

class Asking<Name extends OrderName> {
  readonly #host: Host;
  readonly #child: ChildProcess;
  readonly #order: Order<Name>;
  #heardMs: number;
  #lastWords = '';
  /** Items are taken one behind the other. */
  #taking: Promise<void> = Promise.resolve();
  #looking: Timer | undefined;
  #pouring: readonly { destroy(): unknown }[] = [];
  #aborting: Timer | undefined;

  constructor(host: Host, child: ChildProcess, order: Order<Name>) {
    this.#host = host;
    this.#child = child;
    this.#order = order;
    this.#heardMs = steadyMs(host.clock);
  }

  async answer(): Promise<unknown> {
    const { signal, order } = this.#order;
    const child = this.#child;
    let onAbort: (() => void) | undefined;
    try {
      return await new Promise<unknown>((resolve, reject) => {
        child.on('message', (message: FromChild) => this.#hear(message, { resolve, reject }));
        child.on('error', reject);
        child.on('exit', (status, killedBy) => reject(this.#died(status, killedBy)));
        this.#pouring = readPoured(this.#child, (chunk, pipe) => this.#order.onPoured?.(chunk, pipe));
        child.stderr?.on('data', (chunk: Buffer) => {
          this.#lastWords = (this.#lastWords + chunk.toString('utf8')).slice(-lastWordsMax);
        });
        const abort = (): void => this.#abort(reject);
        onAbort = abort;
        signal?.addEventListener('abort', abort, { once: true });
        this.#send({ kind: 'load', order });
        this.#begin(reject).catch(reject);
        if (signal?.aborted === true) abort();
      });
    } finally {
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
      this.#looking?.cancel();
      this.#aborting?.cancel();
      this.#letGo();
    }
  }

  /** From the order on the child is expected to be heard of. */
  async #begin(reject: (error: unknown) => void): Promise<void> {
    const { order, params, settings } = this.#order;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no order takes a function
    const ready = typeof params === 'function' ? await (params as () => Promise<unknown>)() : params;
    if (!this.#child.connected) return; // its end has been told
    this.#heardMs = steadyMs(this.#host.clock);
    this.#watch(reject);
    this.#send({ kind: 'order', order, params: ready, settings });
    this.#order.onBegun?.((told) => this.#send({ kind: 'tell', told }));
  }

  #hear(
    message: FromChild,
    { resolve, reject }: { resolve: (result: unknown) => void; reject: (error: unknown) => void },
  ): void {
    const nowMs = steadyMs(this.#host.clock);
    this.#heardMs = nowMs;
    switch (message.kind) {
      case 'event':
        this.#order.onEvent?.(message.event);
        return;
      case 'item':
        this.#taking = this.#taking.then(async () => this.#take(message.item));
        this.#taking.catch(reject);
        return;
      case 'alive':
        if (message.pendingMs > this.#stuckMs)
          reject(
            this.#stuck(`${message.call ?? 'a call'} has not returned for ${seconds(message.pendingMs)} s`),
          );
        return;
      case 'done':
        this.#taking.then(() => resolve(message.result), reject);
        return;
      case 'failed':
        reject(this.#order.signal?.aborted === true ? interrupted() : heard(message.error, this.#target));
        return;
    }
  }

  async #take(item: unknown): Promise<void> {
    await this.#order.onItem?.(item);
    this.#send({ kind: 'taken' });
  }

  #watch(reject: (error: unknown) => void): void {
    this.#looking = this.#host.clock.after(lookEveryMs, () => {
      const silentMs = steadyMs(this.#host.clock) - this.#heardMs;
      if (silentMs > this.#stuckMs)
        reject(this.#stuck(`the child process has said nothing for ${seconds(silentMs)} s`));
      else this.#watch(reject);
    });
  }

  get #target(): string | undefined {
    return this.#order.settings.repository.dir;
  }

  get #stuckMs(): number {
    return this.#order.stuckMs ?? stuckAfterMs;
  }

  #stuck(what: string): VarveError {
    return new VarveError('target-unusable', `the target ${this.#target} hangs: ${what}`, {
      hint: 'look at the mount of repository.dir and at its server; what is read from Kafka goes on to the local disk meanwhile',
    });
  }

  /** It may end by itself for a while; whether a killed one ends at all is up to the kernel. */
  #abort(reject: (error: unknown) => void): void {
    this.#send({ kind: 'abort' });
    this.#aborting = this.#host.clock.after(abortGraceMs, () => {
      this.#child.kill('SIGKILL');
      reject(interrupted());
    });
  }

  #died(status: number | null, killedBy: string | null): VarveError {
    if (this.#order.signal?.aborted === true) return interrupted();
    const how = killedBy === null ? `ended with ${status ?? 'nothing'}` : `was killed by ${killedBy}`;
    const words = this.#lastWords.trim();
    const memory = killedBy === 'SIGKILL' ? ' (by the system, if memory was short)' : '';
    return new VarveError('failed', `the child process ${how}${memory}${words === '' ? '' : `: ${words}`}`, {
      hint: 'nothing that was published before is lost: run the command again',
    });
  }

  /** Neither its end nor its output holds this process up. */
  #letGo(): void {
    const child = this.#child;
    child.removeAllListeners('message');
    child.on('error', () => undefined); // nobody waits for it any more
    child.kill('SIGKILL');
    child.stderr?.destroy();
    for (const pipe of this.#pouring) pipe.destroy();
    if (child.connected) child.disconnect();
    child.unref();
  }

  #send(message: ToChild): void {
    if (this.#child.connected) this.#child.send(message, () => undefined); // that it is gone is told by its exit
  }
}

function interrupted(): VarveError {
  return new VarveError('interrupted', 'stopped before the end', {
    hint: 'nothing that was published before is lost: run the command again',
  });
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}
