import { expect } from 'vitest';
import type { Kafka } from '../../scripts/kafka/kafka.ts';
import { Backup } from '../sink/backup.ts';
import { configure, Daemon } from '../sink/processes.ts';

export const patienceMs = 240_000;

/** Where the proxies in front of the brokers listen. */
export function frontsOf(kafka: Kafka): string[] {
  return kafka.listeners.fronts?.split(',') ?? [];
}

/** One daemon that reads from leaders and one that reads from the replicas in a rack, which must come to the same. */
export class Both implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly daemons: Daemon[] = [];
  readonly backups: Backup[] = [];

  static async of(kafka: Kafka, include: readonly string[]): Promise<Both> {
    const both = new Both();
    for (const rack of [undefined, 'west']) {
      const backup = both.#stack.use(await Backup.of(kafka, { include }));
      const place = rack === undefined ? {} : { rack };
      await configure(backup, { kafka: { brokers: frontsOf(kafka), ...place } });
      both.backups.push(backup);
      both.daemons.push(both.#stack.use(await Daemon.following(backup)));
    }
    return both;
  }

  /** Everything that is there now has been read, and nothing was lost on the way. */
  async caughtUp(): Promise<void> {
    for (const backup of this.backups) {
      // A catch-up that meets trouble names what it could not have; behind the trouble, it has it.
      await expect
        .poll(async () => (await backup.catchUp()).missing, { timeout: patienceMs, interval: 100 })
        .toEqual([]);
    }
  }

  async exact(topic: string): Promise<number> {
    let records = 0;
    for (const backup of this.backups) records = await backup.expectExact(topic);
    return records;
  }

  /** Of one kind of event, how many each daemon has told, for one topic or for all. */
  told(event: string, topic?: string): number[] {
    return this.daemons.map(
      ({ lines }) =>
        lines.filter((line) => line.event === event && (topic === undefined || line['topic'] === topic))
          .length,
    );
  }

  signal(signal: NodeJS.Signals): void {
    for (const daemon of this.daemons) daemon.signal(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
