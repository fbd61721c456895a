/**
 * The Kafka room: connections to the brokers of one cluster, and the few requests this program needs.
 *
 * It promises: requests leave in order and never inside a throttle window; answers are taken in order, with bounds on
 * everything a broker claims; errors of topics and partitions stay with their rows; whatever fails a connection is told
 * to everybody who waits for it, as a `VarveError` that names the broker; files with secrets are read again for each connection.
 *
 * It never tries again by itself, never decodes a record, never creates a topic, and never lets the client library's
 * types or errors out.
 */
import { messageOf, VarveError } from '../errors.ts';
import { addressText, parseAddress, type Address } from './address.ts';
import type { Cluster, Metadata } from './api.ts';
import type { ConnectOptions } from './settings.ts';
import { loadClient } from './client.ts';
import { ConnectedCluster } from './cluster.ts';
import { connect, defaultConnectTimeoutMs, type Surroundings } from './connect.ts';
import { Connections } from './connections.ts';
import { FramePool, plainMemory } from './memory.ts';
import { metadataMessage } from './messages/metadata.ts';
import { lost, noneAnswered } from './failures.ts';
import type { Wire } from './wire.ts';

export * from './api.ts';
export type * from './records.ts';
export type * from './settings.ts';
export type { Access, Acl, Quota, ScramUser, Told } from './access.ts';
export { kafkaError } from './errors-of-kafka.ts';
export { answerLengthOf } from './failures.ts';

const defaultFrameBytesInFlightMax = 64 * 1024 * 1024;
const firstAnswerTimeoutMs = 4_000;

/** Tries all brokers of the configuration at once; the first that answers will do. Fails within ten seconds. */
export async function connectCluster(options: ConnectOptions): Promise<Cluster> {
  const { settings, ports, signal } = options;
  const bootstrap = settings.brokers.map(parseAddress);
  const around: Surroundings = { settings, ports, client: await loadClient() };
  const { address, wire, metadata } = await firstToAnswer(around, { bootstrap, signal });
  const connections = new Connections(around);
  connections.adopt(address, wire);
  return new ConnectedCluster({
    around,
    connections,
    bootstrap,
    first: metadata,
    fetchMemory: new FramePool({
      bytesInFlightMax: options.frameBytesInFlightMax ?? defaultFrameBytesInFlightMax,
    }),
  });
}

interface FirstAnswer {
  readonly address: Address;
  readonly wire: Wire;
  readonly metadata: Metadata;
}

async function firstToAnswer(
  around: Surroundings,
  { bootstrap, signal }: { bootstrap: readonly Address[]; signal: AbortSignal | undefined },
): Promise<FirstAnswer> {
  const late = new AbortController();
  const stop = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
  const attempts = bootstrap.map(async (address) => attempt(around, { address, stop }));
  try {
    const first = await Promise.any(attempts);
    late.abort(new Error('another broker answered first'));
    // Who answered at the same moment is not needed.
    for (const end of await Promise.allSettled(attempts)) {
      if (end.status === 'fulfilled' && end.value !== first) end.value.wire.close();
    }
    return first;
  } catch (error) {
    const failures = error instanceof AggregateError ? error.errors : [error];
    throw noneAnswered(failures.map(asVarveError));
  }
}

async function attempt(
  around: Surroundings,
  { address, stop }: { address: Address; stop: AbortSignal },
): Promise<FirstAnswer> {
  const { settings, ports } = around;
  const timeoutMs = Math.min(settings.connectTimeoutMs ?? defaultConnectTimeoutMs, defaultConnectTimeoutMs);
  const wire = await connect(around, { address, memory: plainMemory, timeoutMs, signal: stop });
  const timer = ports.after(firstAnswerTimeoutMs, () => {
    wire.close(
      lost(wire.broker, new Error(`no answer to the first request within ${firstAnswerTimeoutMs} ms`)),
    );
  });
  try {
    return { address, wire, metadata: await wire.call(metadataMessage, { topics: [] }, { signal: stop }) };
  } catch (error) {
    wire.close();
    await wire.closed;
    throw settings.sasl === undefined ? perhapsSasl(addressText(address), error) : error;
  } finally {
    timer.cancel();
  }
}

/** A listener that wants SASL answers the question for versions and hangs up at the first request behind it. */
function perhapsSasl(broker: string, error: unknown): unknown {
  if (!(error instanceof VarveError) || !/closed by the broker|ECONNRESET/.test(error.message)) return error;
  return new VarveError(
    'kafka-unreachable',
    `broker ${broker} hung up at the first request after the handshake`,
    {
      cause: error,
      retryable: true,
      hint: 'Set kafka.sasl if the listener wants its clients to authenticate.',
    },
  );
}

function asVarveError(error: unknown): VarveError {
  if (error instanceof VarveError) return error;
  return new VarveError('failed', `the connection failed: ${messageOf(error)}`, { cause: error });
}
