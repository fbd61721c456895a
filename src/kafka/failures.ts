import { messageOf, VarveError } from '../errors.ts';

/** The connection is no more: whoever waited may try again on another. */
export function lost(broker: string, cause: unknown): VarveError {
  return new VarveError('kafka-unreachable', `connection to broker ${broker} lost: ${messageOf(cause)}`, {
    cause,
    retryable: true,
    hint: 'Check that the broker is up and reachable from here.',
  });
}

/** Answers come in the order of the requests, each under the number of its own. */
export function wrongAnswer(broker: string, o: { expected: string; number: number }): VarveError {
  return lost(broker, new Error(`expected answer ${o.expected}, got number ${o.number}`));
}

/** The length's bytes are kept in the message: they show which protocol the peer speaks. */
export function badLength(broker: string, length: number): VarveError {
  return lost(broker, new BadLength(length));
}

export class BadLength extends Error {
  /** The first four bytes of the answer. */
  readonly prefix: Buffer;
  readonly length: number;

  constructor(length: number) {
    super(`expected the length of an answer, got ${length}`);
    this.length = length;
    this.prefix = Buffer.alloc(4);
    this.prefix.writeInt32BE(length, 0);
  }
}

/** The length that an answer claimed to have, where it was for this that the connection was given up. */
export function answerLengthOf(error: unknown): number | undefined {
  return error instanceof VarveError && error.cause instanceof BadLength ? error.cause.length : undefined;
}

export function aborted(what: string, broker: string, signal: AbortSignal): VarveError {
  return new VarveError('interrupted', `${what} from broker ${broker} was given up`, {
    cause: signal.reason,
  });
}

/** One error for all brokers, naming each with its own cause; the hint is that of the failure that says most. */
export function noneAnswered(failures: readonly VarveError[]): VarveError {
  const order = ['config', 'kafka-unsupported', 'kafka-refused'];
  const telling =
    order
      .map((code) => failures.find((failure) => failure.code === code))
      .find((failure) => failure !== undefined) ?? failures[0];
  if (telling !== undefined && failures.length === 1) return telling;
  return new VarveError(
    telling?.code ?? 'kafka-unreachable',
    `no broker can be used: ${failures.map((failure) => failure.message).join('; ')}`,
    {
      cause: new AggregateError(failures),
      retryable: true,
      ...(telling?.hint !== undefined && { hint: telling.hint }),
    },
  );
}
