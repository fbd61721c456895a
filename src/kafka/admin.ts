import { VarveError } from '../errors.ts';
import {
  noAnswer,
  type ChangedTopic,
  type CreatedTopic,
  type DeletedTopic,
  type NewTopic,
  type ProducerIdentity,
  type TopicChange,
} from './api.ts';
import { kafkaError } from './errors-of-kafka.ts';
import { alterConfigsMessage } from './messages/alter-configs.ts';
import { createTopicsMessage } from './messages/create-topics.ts';
import { deleteTopicsMessage } from './messages/delete-topics.ts';
import { initProducerIdMessage } from './messages/init-producer-id.ts';
import type { Message } from './messages/message.ts';
import type { Wire } from './wire.ts';

interface Waiting {
  readonly signal?: AbortSignal | undefined;
}

export interface Changing extends Waiting {
  readonly validateOnly?: boolean;
}

interface AdminPorts {
  readonly atController: <T>(run: (wire: Wire) => Promise<T>, signal: AbortSignal | undefined) => Promise<T>;
  readonly anyBroker: <T>(run: (wire: Wire) => Promise<T>, signal: AbortSignal | undefined) => Promise<T>;
  readonly pause: (delayMs: number, signal: AbortSignal | undefined) => Promise<void>;
}

const changeTimeoutMs = 30_000;
const producerAttemptsMax = 20;
const producerPauseMs = 100;

/** Changes of topics, one answer for each row that was asked for; and producer ids. */
export class Admin {
  readonly #ports: AdminPorts;

  constructor(ports: AdminPorts) {
    this.#ports = ports;
  }

  async createTopics(
    topics: readonly NewTopic[],
    { validateOnly = false, signal }: Changing = {},
  ): Promise<CreatedTopic[]> {
    if (topics.length === 0) return [];
    const request = { topics, validateOnly, timeoutMs: changeTimeoutMs };
    const rows = await this.#atController(createTopicsMessage, request, signal);
    return topics.map(
      ({ topic }) =>
        rows.find((row) => row.topic === topic) ?? unanswered({ topic, topicId: '', configs: [] }),
    );
  }

  async deleteTopics(topicIds: readonly string[], { signal }: Waiting = {}): Promise<DeletedTopic[]> {
    if (topicIds.length === 0) return [];
    const request = { topicIds, timeoutMs: changeTimeoutMs };
    const rows = await this.#atController(deleteTopicsMessage, request, signal);
    return topicIds.map((topicId) => rows.find((row) => row.topicId === topicId) ?? unanswered({ topicId }));
  }

  async changeTopicConfigs(
    changes: readonly TopicChange[],
    { validateOnly = false, signal }: Changing = {},
  ): Promise<ChangedTopic[]> {
    if (changes.length === 0) return [];
    const rows = await this.#atController(alterConfigsMessage, { changes, validateOnly }, signal);
    return changes.map(({ topic }) => rows.find((row) => row.topic === topic) ?? unanswered({ topic }));
  }

  async producerIdentity({ signal }: Waiting = {}): Promise<ProducerIdentity> {
    for (let attempt = 1; ; attempt += 1) {
      const { errorCode, ...identity } = await this.#ports.anyBroker(
        async (wire) => wire.call(initProducerIdMessage, undefined, { signal }),
        signal,
      );
      if (errorCode === 0) return identity;
      const { name, text, retryable } = kafkaError(errorCode);
      if (!retryable || attempt === producerAttemptsMax) {
        throw new VarveError('kafka-refused', `no producer id is to be had: ${text} (${name})`, {
          retryable,
          hint: 'Grant this user IDEMPOTENT_WRITE on the cluster, or WRITE on the topic.',
        });
      }
      await this.#ports.pause(producerPauseMs * attempt, signal);
    }
  }

  async #atController<Request, Response>(
    message: Message<Request, Response>,
    request: Request,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    return this.#ports.atController(
      async (wire) => wire.call(message, request, { signal, waitMs: changeTimeoutMs }),
      signal,
    );
  }
}

function unanswered<Row>(row: Row): Row & { errorCode: number; message: undefined } {
  return { ...row, errorCode: noAnswer, message: undefined };
}
