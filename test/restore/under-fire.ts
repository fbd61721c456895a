import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { CommandEnd } from '../../scripts/demo/varve.ts';
import type { JavaClient, Kafka, KafkaBroker } from '../../scripts/kafka/kafka.ts';
import { systemHost, type Host } from '../../src/host/host.ts';
import { connectCluster, type TopicMetadata } from '../../src/kafka/kafka.ts';
import { varveHere } from '../cli/here.ts';
import { realPorts, settings } from '../kafka/given.ts';
import { until } from '../sink/processes.ts';
import { placeFor, type Place } from './place.ts';
import { expectSame, writtenTo } from './process.ts';
import { seeGroup, type SeenGroup } from './zoo.ts';

const partitions = 6;
const replicated = { replicationFactor: 3, configs: { 'min.insync.replicas': '2' } };
const runsMax = 4;
const patienceMs = 180_000;

export function brokerOf(kafka: Kafka, id: number | undefined): KafkaBroker {
  const broker = kafka.brokers.find((one) => one.id === id);
  if (broker === undefined) throw new Error(`no broker ${id}`);
  return broker;
}

/** A topic on three brokers and its groups, saved, and what a consumer saw of them. */
export class Saved implements AsyncDisposable {
  readonly place: Place;
  readonly topic: string;
  readonly #kafka: Kafka;
  readonly #java: JavaClient;
  readonly #before: readonly string[];
  readonly #groups: readonly SeenGroup[];

  private constructor(o: {
    kafka: Kafka;
    java: JavaClient;
    place: Place;
    topic: string;
    before: readonly string[];
    groups: readonly SeenGroup[];
  }) {
    this.#kafka = o.kafka;
    this.#java = o.java;
    this.place = o.place;
    this.topic = o.topic;
    this.#before = o.before;
    this.#groups = o.groups;
  }

  static async of(kafka: Kafka, o: { topic: string; count?: number; groups?: number }): Promise<Saved> {
    const { topic, count = 3000 } = o;
    const java = await kafka.java();
    await java.createTopic({ topic, partitions, ...replicated });
    const records = Array.from({ length: count }, (_, index) => ({
      partition: index % partitions,
      key: `k${index}`,
      value: randomBytes(400).toString('base64'),
    }));
    await java.produce({ topic, records, batchSize: 3000 });
    const names = Array.from({ length: o.groups ?? 6 }, (_, index) => `${topic}.group-${index}`);
    for (const [index, group] of names.entries()) {
      const offsets = Array.from({ length: partitions }, (_, partition) => ({
        topic,
        partition,
        offset: BigInt((index * 37 + partition * 11) % (count / partitions)),
        metadata: `of ${group}`,
      }));
      await java.commitOffsets({ group, offsets });
    }
    const groups = await Promise.all(names.map(async (group) => seeGroup(java, group)));
    const before = await java.consumeLines({ topic });
    const place = await placeFor(kafka, { name: topic, include: [topic] });
    expect(await place.json('backup')).toMatchObject({ status: 0 });
    return new Saved({ kafka, java, place, topic, before, groups });
  }

  get words(): string[] {
    return ['restore', '--topic', this.topic, '--yes'];
  }

  async idNow(): Promise<string> {
    return (await this.#java.describeTopic(this.topic)).topicId;
  }

  /** Resolves when the topic has been made anew, as brokers tell that answer, or the restore has ended; who leads it. */
  async made({ before, running }: { before: string; running: Promise<CommandEnd> }): Promise<number[]> {
    let isOver = false;
    void running.then(() => (isOver = true));
    await using cluster = await connectCluster({
      settings: settings(this.#kafka.bootstrap),
      ports: realPorts,
    });
    let found: TopicMetadata | undefined;
    const isMade = async (): Promise<boolean> => {
      [found] = (await cluster.metadata({ topics: [this.topic] })).topics;
      return isOver || (found?.errorCode === 0 && found.topicId !== before);
    };
    await expect.poll(isMade, { timeout: patienceMs, interval: 50 }).toBe(true);
    return found?.partitions.map(({ leaderId }) => leaderId) ?? [];
  }

  /** The topic is gone, and with it what its groups had. */
  async lose(): Promise<void> {
    await this.#java.deleteTopic(this.topic);
    await until(`the groups of ${this.topic} have nothing`, async () => {
      const left = this.#groups.map(async ({ group }) => this.#java.listGroupOffsets(group));
      return (await Promise.all(left)).every((rows) => rows.length === 0);
    });
  }

  async holds(records: number): Promise<void> {
    await until(`${this.topic} holds ${records} records`, async () => {
      return (await writtenTo(this.#java, this.topic)) >= BigInt(records);
    });
  }

  /** Resolves when the restore has come to this group. */
  async sets(index: number): Promise<void> {
    const { group = '' } = this.#groups[index] ?? {};
    await expect
      .poll(async () => (await this.#java.listGroupOffsets(group)).length, {
        timeout: patienceMs,
        interval: 5,
      })
      .toBeGreaterThan(0);
  }

  /** Which broker answers for a group. */
  async coordinatorOf(group: string): Promise<KafkaBroker> {
    const topic = '__consumer_offsets';
    const { partitions: rows } = await this.#java.describeTopic(topic);
    const at = Math.abs(javaHash(group)) % rows.length;
    return brokerOf(this.#kafka, rows.find(({ partition }) => partition === at)?.leader);
  }

  /** Every record is there once and in order, on all replicas, and every group stands where it stood. */
  async expectBack(): Promise<void> {
    await this.#replicated();
    await expectSame(this.#java, this.topic, this.#before);
    const found = await Promise.all(this.#groups.map(async ({ group }) => seeGroup(this.#java, group)));
    expect(found).toEqual(this.#groups);
  }

  /** The same of records that stand behind others, which are gone. */
  async expectBehind(): Promise<void> {
    await this.#replicated();
    const after = contents(await this.#java.consumeLines({ topic: this.topic }));
    expect(after.length).toBe(this.#before.length);
    expect(contents(this.#before).findIndex((line, at) => line !== after[at])).toBe(-1);
  }

  async #replicated(): Promise<void> {
    await until(`the replicas of ${this.topic} are in sync`, async () => {
      const { partitions: rows } = await this.#java.describeTopic(this.topic);
      return rows.every(({ inSync, replicas }) => inSync.length === replicas.length);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.place[Symbol.asyncDispose]();
  }
}

/** As people do it: a command that stopped part-way is run again. Returns all ends; the last of them is RESTORED. */
export async function untilRestored(
  run: () => Promise<CommandEnd>,
  first: Promise<CommandEnd> = run(),
): Promise<CommandEnd[]> {
  const ends = [await first];
  while (ends.at(-1)?.status === 6 && ends.length < runsMax) {
    expect(ends.at(-1)?.stdout).toMatch(/\nNOT RESTORED \S+\n$/);
    ends.push(await run());
  }
  const told = ends.map(({ status, stdout, stderr }) => `${status}\n${stdout}${stderr}`).join('\n');
  expect(ends.at(-1)?.status, told).toBe(0);
  expect(ends.at(-1)?.stdout, told).toMatch(/\nRESTORED \S+\n$/);
  return ends;
}

/** Runs a restore in this process; `begun` is called when its journal is there and the cluster not yet touched. */
export async function restoreHere(
  saved: Saved,
  o: { more?: readonly string[]; begun?: () => Promise<void> },
): Promise<CommandEnd> {
  let { begun } = o;
  const host: Host = {
    ...systemHost,
    disk: {
      ...systemHost.disk,
      async rename(from, to) {
        await systemHost.disk.rename(from, to);
        if (!/restores\/[^/]+\.json$/.test(to)) return;
        const once = begun;
        begun = undefined;
        await once?.();
      },
    },
  };
  const cwd = saved.place.folder;
  return await varveHere([...saved.words, ...(o.more ?? [])], { cwd, changes: { host } });
}

function contents(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/"offset":\d+,/, ''));
}

function javaHash(text: string): number {
  let hash = 0;
  for (const letter of text) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0;
  return hash;
}
