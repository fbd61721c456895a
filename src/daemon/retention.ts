import { VarveError } from '../errors.ts';
import { pause, type Clock } from '../host/host.ts';
import type { Cluster } from '../kafka/kafka.ts';

const lookEveryMs = 30_000;
/** What is set on a topic changes seldom, and an answer is some kilobytes a topic. */
const askEveryMs = 15 * 60_000;

/** How long the cluster keeps the records of each topic: asked now and then, and for new topics soon. */
export class Retention {
  readonly #cluster: Pick<Cluster, 'effectiveConfigs'>;
  readonly #clock: Clock;
  readonly #topics: () => Iterable<string>;
  /** Null where records are kept for ever, or nobody may know. */
  #known = new Map<string, number | null>();
  #askedMs = -Infinity;

  constructor(
    cluster: Pick<Cluster, 'effectiveConfigs'>,
    o: { clock: Clock; topics: () => Iterable<string> },
  ) {
    this.#cluster = cluster;
    this.#clock = o.clock;
    this.#topics = o.topics;
  }

  /** Of the topics that have a limit. */
  get keptMs(): ReadonlyMap<string, number> {
    return new Map([...this.#known].flatMap(([topic, ms]) => (ms === null ? [] : [[topic, ms] as const])));
  }

  /** Runs until the signal is aborted; never throws for what the cluster does. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#ask(signal);
      await pause(this.#clock, lookEveryMs, signal);
    }
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const topics = [...this.#topics()];
    const nowMs = this.#clock.nowMs();
    const isDue = nowMs - this.#askedMs >= askEveryMs || nowMs < this.#askedMs;
    const wanted = isDue ? topics : topics.filter((topic) => !this.#known.has(topic));
    try {
      const rows = wanted.length === 0 ? [] : await this.#cluster.effectiveConfigs(wanted, { signal });
      const fresh = rows.map(({ topic, configs }) => [topic, keptMsOf(configs)] as const);
      const there = new Set(topics);
      this.#known = new Map([...this.#known, ...fresh].filter(([topic]) => there.has(topic)));
      if (isDue) this.#askedMs = nowMs;
    } catch (error) {
      // The cluster is away: that is told by others, and what was known of it stays.
      if (!(error instanceof VarveError)) throw error;
    }
  }
}

function keptMsOf(configs: readonly { readonly name: string; readonly value: string }[]): number | null {
  const valueOf = (wanted: string): string | undefined => configs.find(({ name }) => name === wanted)?.value;
  const ms = Number(valueOf('retention.ms') ?? -1);
  const isDeleted = (valueOf('cleanup.policy') ?? '').split(',').some((policy) => policy.trim() === 'delete');
  return isDeleted && ms >= 0 ? ms : null;
}
