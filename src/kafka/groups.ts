import { messageOf, VarveError } from '../errors.ts';
import type { Address } from './address.ts';
import { noAnswer, type CommitResult, type CommittedOffset, type OffsetToCommit } from './api.ts';
import type { ClientCoordinator, KafkaClient } from './client.ts';
import type { Connections } from './connections.ts';
import { kafkaError } from './errors-of-kafka.ts';
import { offsetCommitMessage } from './messages/offset-commit.ts';
import { offsetDeleteMessage } from './messages/offset-delete.ts';
import { offsetFetchMessage } from './messages/offset-fetch.ts';
import type { Wire } from './wire.ts';

interface Waiting {
  readonly signal?: AbortSignal | undefined;
}

/** Committed offsets of groups, asked of each group's coordinator, which is remembered until it says it is not. */
export class Groups {
  readonly #client: KafkaClient;
  readonly #connections: Connections;
  readonly #anyBroker: (run: (wire: Wire) => Promise<Buffer>, signal?: AbortSignal) => Promise<Buffer>;
  readonly #coordinators = new Map<string, Address>();

  constructor(options: {
    client: KafkaClient;
    connections: Connections;
    anyBroker: (run: (wire: Wire) => Promise<Buffer>, signal?: AbortSignal) => Promise<Buffer>;
  }) {
    this.#client = options.client;
    this.#connections = options.connections;
    this.#anyBroker = options.anyBroker;
  }

  async committed(group: string, waiting: Waiting): Promise<CommittedOffset[]> {
    return this.#atCoordinator(group, waiting, async (wire) => {
      const [row] = await wire.call(offsetFetchMessage, [group], waiting);
      return { value: [...(row?.offsets ?? [])], errorCode: row?.errorCode ?? noAnswer };
    });
  }

  async commit(group: string, rows: readonly OffsetToCommit[], waiting: Waiting): Promise<CommitResult[]> {
    if (rows.length === 0) return [];
    return this.#atCoordinator(group, waiting, async (wire) => {
      const results = await wire.call(offsetCommitMessage, { group, rows }, waiting);
      // The answer has no code of its own: what fails as a whole stands in every row.
      const first = results[0]?.errorCode ?? 0;
      const whole = ofWholeRequest(first) && results.every(({ errorCode }) => errorCode === first);
      return { value: inOrder(rows, results), errorCode: whole ? first : 0 };
    });
  }

  async delete(group: string, rows: readonly Place[], waiting: Waiting): Promise<CommitResult[]> {
    if (rows.length === 0) return [];
    return this.#atCoordinator(group, waiting, async (wire) => {
      const { errorCode, results } = await wire.call(offsetDeleteMessage, { group, rows }, waiting);
      // A group that is not there has no offset, either.
      if (errorCode === groupIdNotFound)
        return { value: rows.map((row) => ({ ...row, errorCode: 0 })), errorCode: 0 };
      if (kafkaError(errorCode).kind === 'authorization')
        throw new VarveError(
          'kafka-refused',
          `group ${group}: this user lacks the right Delete on the group`,
          {
            hint: `Grant this user DELETE on group ${group}.`,
          },
        );
      return { value: inOrder(rows, results), errorCode };
    });
  }

  /** A coordinator that says it is none is looked up once more; everything else is the caller's to try again. */
  async #atCoordinator<T>(
    group: string,
    waiting: Waiting,
    run: (wire: Wire) => Promise<{ value: T; errorCode: number }>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const known = this.#coordinators.get(group);
      const address = known ?? (await this.#lookUp(group, waiting));
      try {
        const { value, errorCode } = await run(await this.#connections.to(address, waiting.signal));
        if (errorCode === 0) return value;
        if (kafkaError(errorCode).kind === 'coordinator') this.#coordinators.delete(group);
        if (kafkaError(errorCode).kind !== 'coordinator' || attempt === 2) throw groupError(group, errorCode);
      } catch (error) {
        this.#coordinators.delete(group);
        // A remembered coordinator may simply be gone, and the group be somewhere else by now.
        const mayHaveMoved = error instanceof VarveError && error.code === 'kafka-unreachable';
        if (!mayHaveMoved || known === undefined || attempt === 2) throw error;
      }
    }
  }

  async #lookUp(group: string, { signal }: Waiting): Promise<Address> {
    const { request, response } = this.#client.findCoordinator(group);
    const { buffer: body } = await request.encode();
    const { apiKey, apiVersion } = request;
    const bytes = await this.#anyBroker(
      async (wire) => wire.callRaw({ name: 'FindCoordinator', apiKey, apiVersion, body }, { signal }),
      signal,
    );
    const address = await this.#readAddress(group, async () => response.parse(await response.decode(bytes)));
    this.#coordinators.set(group, address);
    return address;
  }

  async #readAddress(group: string, read: () => Promise<ClientCoordinator>): Promise<Address> {
    try {
      const { host, port } = (await read()).coordinator;
      return { host, port };
    } catch (error) {
      throw lookUpError(group, error);
    }
  }
}

const groupIdNotFound = 69;

interface Place {
  readonly topic: string;
  readonly partition: number;
}

function inOrder(rows: readonly Place[], results: readonly CommitResult[]): CommitResult[] {
  const codes = new Map(results.map((row) => [keyOf(row), row.errorCode]));
  return rows.map(({ topic, partition }) => ({
    topic,
    partition,
    errorCode: codes.get(keyOf({ topic, partition })) ?? noAnswer,
  }));
}

function keyOf({ topic, partition }: Place): string {
  return `${partition} ${topic}`;
}

/** Codes that say something about the group or the coordinator, not about one partition. */
function ofWholeRequest(code: number): boolean {
  const { kind } = kafkaError(code);
  return kind === 'coordinator' || code === 22 || code === 24 || code === 25 || code === 30;
}

function groupError(group: string, code: number): VarveError {
  const { name, kind, text } = kafkaError(code);
  if (kind === 'authorization') {
    return new VarveError('kafka-refused', `group ${group}: ${text} (${name})`, {
      hint: `Grant this user READ on group ${group}.`,
    });
  }
  if (kind !== 'coordinator') {
    return new VarveError('foreign-installation', `group ${group} has live members: ${text} (${name})`, {
      hint: `Stop whatever consumes as group ${group}, or choose another kafka.groupId.`,
    });
  }
  return new VarveError('kafka-unreachable', `group ${group}: ${text} (${name})`, {
    retryable: true,
    hint: 'This passes when the coordinator of the group is back.',
  });
}

function lookUpError(group: string, error: unknown): VarveError {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  if (typeof code === 'number') return groupError(group, code);
  return new VarveError(
    'kafka-unreachable',
    `the coordinator of group ${group} cannot be found: ${messageOf(error)}`,
    {
      cause: error,
      retryable: true,
    },
  );
}
