import { aborted } from './failures.ts';
import type { Fetcher, FetchRequest, FetchResponse } from './records.ts';
import { FetchSession, withoutSession, type SessionStep } from './fetch-session.ts';
import { fetchMessage, type FetchResult } from './messages/fetch.ts';
import type { Answer } from './exchange.ts';
import type { Wire } from './wire.ts';

/** What a response needs beside the records that `maxBytes` counts. */
const overheadBytes = 64 * 1024;

/** Fetching from one broker on a connection of its own, so that a long poll holds up nothing else. */
export class BrokerFetcher implements Fetcher {
  readonly brokerId: number;
  readonly #open: () => Promise<Wire>;
  readonly #onGone: () => void;
  readonly #wires = new Set<Wire>();
  readonly #session = new FetchSession();
  #wire: Wire;
  #renewing: Promise<Wire> | undefined;

  constructor(options: {
    brokerId: number;
    wire: Wire;
    open: () => Promise<Wire>;
    /** The last connection is closed. */
    onGone: () => void;
  }) {
    this.brokerId = options.brokerId;
    this.#open = options.open;
    this.#onGone = options.onGone;
    this.#wire = options.wire;
    this.#watch(options.wire);
  }

  async fetch(request: FetchRequest, signal?: AbortSignal): Promise<FetchResponse> {
    const wire = await this.#current();
    if (signal?.aborted) throw aborted('Fetch', wire.broker, signal);
    const giveUp = (): void => {
      if (signal !== undefined) wire.close(aborted('Fetch', wire.broker, signal));
    };
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      return request.session === undefined
        ? responseOf(await ask(wire, request, withoutSession(request.partitions)), { isWhole: true })
        : await this.#askInSession(wire, request);
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
  }

  async #askInSession(wire: Wire, request: FetchRequest): Promise<FetchResponse> {
    if (request.session === 'fresh') this.#session.renew();
    for (;;) {
      const step = this.#session.step(request.partitions);
      const isWhole = step.epoch === 0;
      const answer = await ask(wire, request, step);
      // A broker may drop a session at any time: it is told everything again, once.
      if (this.#session.heard(answer.value) || isWhole) return responseOf(answer, { isWhole });
      answer.release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#renewing?.catch(() => undefined);
    const wires = [...this.#wires];
    for (const wire of wires) wire.close();
    await Promise.all(wires.map(async (wire) => wire.closed));
  }

  /** The connection, or a fresh one where the broker is about to end the session of the old one. */
  async #current(): Promise<Wire> {
    if (this.#wire.dead || !this.#wire.expired) return this.#wire;
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(): Promise<Wire> {
    const fresh = await this.#open();
    this.#watch(fresh);
    const old = this.#wire;
    this.#wire = fresh;
    old.retire();
    return fresh;
  }

  #watch(wire: Wire): void {
    this.#wires.add(wire);
    void this.#forgetWhenClosed(wire);
  }

  async #forgetWhenClosed(wire: Wire): Promise<void> {
    await wire.closed;
    this.#wires.delete(wire);
    if (this.#wires.size === 0) this.#onGone();
  }
}

async function ask(wire: Wire, request: FetchRequest, session: SessionStep): Promise<Answer<FetchResult>> {
  const { maxWaitMs, maxBytes } = request;
  const question = { ...request, session };
  return wire.ask(fetchMessage, question, { waitMs: maxWaitMs, trustedBytes: maxBytes + overheadBytes });
}

function responseOf(answer: Answer<FetchResult>, { isWhole }: { isWhole: boolean }): FetchResponse {
  const { value, byteLength, throttleMs } = answer;
  const { errorCode, partitions } = value;
  return { errorCode, partitions, isWhole, byteLength, throttleMs, release: () => answer.release() };
}
