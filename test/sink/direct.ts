import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kafka } from '../../scripts/kafka/kafka.ts';
import { systemHost, type Host } from '../../src/host/host.ts';
import { connectCluster, type Cluster } from '../../src/kafka/kafka.ts';
import { LocalFolder } from '../../src/local/local.ts';
import { Sink, type SinkEvent, type SinkOptions } from '../../src/sink/sink.ts';

/** A local folder that outlives the sinks that are opened on it, in a group of its own. */
export class Place implements AsyncDisposable {
  readonly #kafka: Pick<Kafka, 'bootstrap'>;
  readonly #root: string;
  readonly group: string;
  #lives = 0;

  private constructor(kafka: Pick<Kafka, 'bootstrap'>, root: string, group: string) {
    this.#kafka = kafka;
    this.#root = root;
    this.group = group;
  }

  static async of(kafka: Pick<Kafka, 'bootstrap'>, group: string): Promise<Place> {
    return new Place(kafka, await mkdtemp(join(tmpdir(), 'varve-direct-')), group);
  }

  get folder(): string {
    return join(this.#root, `local-${this.#lives}`);
  }

  /** The local disk is lost: the next sink finds an empty folder. */
  loseDisk(): void {
    this.#lives += 1;
  }

  /** `meddle` may put itself between the sink and the cluster. */
  async open(
    topic: string,
    o: Partial<SinkOptions> & {
      repository?: string;
      requestTimeoutMs?: number;
      meddle?: (cluster: Cluster) => void;
    } = {},
  ): Promise<Life> {
    const stack = new AsyncDisposableStack();
    const host: Host = o.host ?? systemHost;
    const local = stack.use(
      await LocalFolder.open(host, this.folder, { instance: 'main', serve: async () => undefined }),
    );
    if (o.repository !== undefined) await local.bindRepository(o.repository);
    const ports = {
      nowMs: () => host.clock.nowMs(),
      readFile: async () => Buffer.alloc(0),
      after: (delayMs: number, run: () => void) => host.clock.after(delayMs, run),
    };
    const settings = {
      brokers: this.#kafka.bootstrap.split(','),
      clientId: 'varve-test',
      requestTimeoutMs: o.requestTimeoutMs,
    };
    const cluster = stack.use(await connectCluster({ settings, ports }));
    const fetched = new Map<number, number>();
    countFetched(cluster, fetched);
    o.meddle?.(cluster);
    const events: SinkEvent[] = [];
    const sink = stack.use(
      await Sink.start({
        cluster,
        local,
        host,
        emit: (event) => events.push(event),
        isWanted: (name) => name === topic,
        group: this.group,
        segmentBytes: 64 * 1024 * 1024,
        inFlightBytes: 32 * 1024 * 1024,
        minFreeBytes: 0,
        mode: 'follow',
        ...o,
      }),
    );
    return { sink, local, events, fetched, [Symbol.asyncDispose]: async () => stack.disposeAsync() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#root, { recursive: true, force: true });
  }
}

interface Life extends AsyncDisposable {
  readonly sink: Sink;
  readonly local: LocalFolder;
  readonly events: readonly SinkEvent[];
  /** Bytes of answers, by broker. */
  readonly fetched: ReadonlyMap<number, number>;
}

function countFetched(cluster: Cluster, fetched: Map<number, number>): void {
  const open = cluster.fetcher.bind(cluster);
  cluster.fetcher = async (id) => {
    const fetcher = await open(id);
    const fetch = fetcher.fetch.bind(fetcher);
    fetcher.fetch = async (request, signal) => {
      const answer = await fetch(request, signal);
      fetched.set(id, (fetched.get(id) ?? 0) + answer.byteLength);
      return answer;
    };
    return fetcher;
  };
}
