import { addressText, type Address } from './address.ts';
import { connect, type Surroundings } from './connect.ts';
import { aborted } from './failures.ts';
import { plainMemory } from './memory.ts';
import type { Wire } from './wire.ts';

/**
 * One connection to each broker for everything but fetching, made when first needed and shared. Who asks while it is
 * being made waits for the same one. Nothing is tried twice: a failure is the asker's to handle.
 */
export class Connections {
  readonly #around: Surroundings;
  readonly #shared = new Map<string, Shared>();
  readonly #gone = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** Who gives up does so at once: the connection goes on being made, for others. */
  async to(address: Address, signal?: AbortSignal): Promise<Wire> {
    if (signal === undefined) return this.#to(address);
    const { promise, reject } = Promise.withResolvers<never>();
    const giveUp = (): void => reject(aborted('connection', addressText(address), signal));
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    try {
      return await Promise.race([this.#to(address), promise]);
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  async #to(address: Address): Promise<Wire> {
    const key = addressText(address);
    const shared = this.#shared.get(key);
    if (shared !== undefined) {
      const { wire } = shared;
      if (wire === undefined || (!wire.dead && !wire.expired)) return shared.opening;
      wire.retire();
    }
    return this.#open(key, address);
  }

  /** Takes over a connection that was made before there was a cluster. */
  adopt(address: Address, wire: Wire): void {
    this.#shared.set(addressText(address), { opening: Promise.resolve(wire), wire });
    this.#watch(wire);
  }

  /** Closes what leads to none of these addresses. */
  keepOnly(addresses: readonly Address[]): void {
    const wanted = new Set(addresses.map(addressText));
    for (const [key, shared] of this.#shared) {
      if (wanted.has(key) || shared.wire === undefined) continue;
      this.#shared.delete(key);
      shared.wire.retire();
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('closed by us'));
    const openings = [...this.#shared.values()].map(({ opening }) => opening);
    this.#shared.clear();
    for (const end of await Promise.allSettled(openings)) {
      if (end.status === 'fulfilled') end.value.close();
    }
    await Promise.all(this.#gone);
  }

  async #open(key: string, address: Address): Promise<Wire> {
    const opening = connect(this.#around, { address, memory: plainMemory, signal: this.#closing.signal });
    const shared: Shared = { opening };
    this.#shared.set(key, shared);
    try {
      shared.wire = await opening;
      this.#watch(shared.wire);
      return shared.wire;
    } catch (error) {
      if (this.#shared.get(key) === shared) this.#shared.delete(key);
      throw error;
    }
  }

  #watch(wire: Wire): void {
    const gone = wire.closed.finally(() => this.#gone.delete(gone));
    this.#gone.add(gone);
  }
}

interface Shared {
  readonly opening: Promise<Wire>;
  wire?: Wire;
}
