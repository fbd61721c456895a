import { EventEmitter } from 'node:events';
import type { ConnectionOptions } from 'node:tls';
import { VarveError } from '../errors.ts';
import { addressText, type Address } from './address.ts';
import type { KafkaPorts, KafkaSettings } from './settings.ts';
import {
  onThrottle,
  tameRequestQueue,
  type ClientConnection,
  type ClientSocket,
  type KafkaClient,
  type VersionRange,
} from './client.ts';
import { readCredentials, type Credentials } from './credentials.ts';
import { diagnose, type Stage } from './diagnosis.ts';
import type { FrameMemory } from './memory.ts';
import { describeConfigsMessage } from './messages/describe-configs.ts';
import { fetchMessage } from './messages/fetch.ts';
import { findCoordinatorsMessage } from './messages/find-coordinators.ts';
import { listGroupsMessage } from './messages/list-groups.ts';
import { listOffsetsMessage } from './messages/list-offsets.ts';
import { metadataMessage } from './messages/metadata.ts';
import { offsetCommitMessage } from './messages/offset-commit.ts';
import { offsetFetchMessage } from './messages/offset-fetch.ts';
import { offsetForLeaderEpochMessage } from './messages/offset-for-leader-epoch.ts';
import { aborted, lost, wrongAnswer } from './failures.ts';
import { Wire, type TakeOver } from './wire.ts';

/** What every connection of one cluster has in common. */
export interface Surroundings {
  readonly settings: KafkaSettings;
  readonly ports: KafkaPorts;
  readonly client: KafkaClient;
}

export const defaultConnectTimeoutMs = 5_000;
const defaultRequestTimeoutMs = 30_000;
/** A session that the broker limits is left for a new one after this part of it. */
const sessionPart = 0.8;

/** Makes a connection that is ready for requests: TLS done, versions compared, authenticated. */
export async function connect(
  around: Surroundings,
  options: { address: Address; memory: FrameMemory; timeoutMs?: number; signal?: AbortSignal | undefined },
): Promise<Wire> {
  const { settings, ports } = around;
  const broker = addressText(options.address);
  if (options.signal?.aborted) throw aborted('connection', broker, options.signal);
  const credentials = await readCredentials(settings, ports);
  const requestTimeoutMs = settings.requestTimeoutMs ?? defaultRequestTimeoutMs;
  const wire = new Wire({
    broker,
    clientId: settings.clientId,
    ports,
    memory: options.memory,
    requestTimeoutMs,
  });
  const timeoutMs = options.timeoutMs ?? settings.connectTimeoutMs ?? defaultConnectTimeoutMs;
  const handshake = new Handshake(around, { wire, address: options.address, credentials, timeoutMs });
  const timer = ports.after(timeoutMs, () => {
    wire.close(lost(broker, new Error(`no answer within ${timeoutMs} ms while ${handshake.stage}`)));
  });
  const giveUp = (): void => {
    if (options.signal !== undefined) wire.close(aborted('connection', broker, options.signal));
  };
  options.signal?.addEventListener('abort', giveUp, { once: true });
  try {
    wire.takeOver(await handshake.run());
    return wire;
  } catch (error) {
    const { stage } = handshake;
    const { sasl } = settings;
    if (stage === 'authenticating' && sasl?.mechanism === 'OAUTHBEARER') sasl.tokens.refused();
    const failure = diagnose(wire.failure ?? error, {
      broker,
      stage,
      tls: credentials.tls !== undefined,
      mechanism: credentials.sasl?.mechanism,
    });
    wire.close(failure);
    await wire.closed;
    throw failure;
  } finally {
    timer.cancel();
    options.signal?.removeEventListener('abort', giveUp);
    handshake.end();
  }
}

/** Lets the client library do what it does well, on a socket of ours: versions and authentication. */
class Handshake {
  stage: Stage = 'connecting';
  readonly #around: Surroundings;
  readonly #credentials: Credentials;
  readonly #broker: string;
  readonly #connection: ClientConnection;
  #lastFrame: Buffer = Buffer.alloc(0);
  #throttledUntilMs = 0;

  constructor(
    around: Surroundings,
    options: { wire: Wire; address: Address; credentials: Credentials; timeoutMs: number },
  ) {
    const { wire, address, credentials, timeoutMs } = options;
    this.#around = around;
    this.#credentials = credentials;
    this.#broker = wire.broker;
    this.#connection = around.client.connection({
      ...address,
      clientId: around.settings.clientId,
      ssl: credentials.tls ?? null,
      sasl: credentials.sasl ?? null,
      // Our own limit is the one that counts; the library's comes a second later, if ours should fail.
      connectionTimeout: timeoutMs + 1000,
      requestTimeout: timeoutMs + 1000,
      socketFactory: ({ onConnect }) =>
        openForLibrary(wire, {
          address,
          tls: credentials.tls,
          onConnect,
          onFrame: (bytes) => (this.#lastFrame = bytes),
        }),
    });
    tameRequestQueue(this.#connection);
    onThrottle(this.#connection, (throttleMs) => {
      this.#throttledUntilMs = Math.max(this.#throttledUntilMs, around.ports.nowMs() + throttleMs);
    });
  }

  async run(): Promise<TakeOver> {
    const { client, ports } = this.#around;
    const connection = this.#connection;
    await connection.connect();
    this.stage = 'asking for api versions';
    const { apiVersions } = await connection.send(client.apiVersions());
    const versions = Object.fromEntries(apiVersions.map((range) => [String(range.apiKey), range]));
    checkVersions(this.#broker, versions);
    let retireAtMs = Infinity;
    if (this.#credentials.sasl !== undefined) {
      this.stage = 'authenticating';
      connection.setVersions(versions);
      connection.setSupportAuthenticationProtocol(true);
      const beganAtMs = ports.nowMs();
      await connection.authenticate();
      if (this.#credentials.sasl.mechanism === 'OAUTHBEARER') throwIfRefused(this.#lastFrame);
      const lifetimeMs = Number(connection.sessionLifetime.toString());
      if (lifetimeMs > 0) retireAtMs = beganAtMs + lifetimeMs * sessionPart;
    }
    return { throttledUntilMs: this.#throttledUntilMs, retireAtMs, versions };
  }

  /** The library keeps timers of its own until it is told. */
  end(): void {
    this.#connection.requestQueue.destroy();
  }
}

/**
 * A broker answers a token that it does not take without an error code, and with a JSON text that says why where there
 * is nothing otherwise; the library looks at the code alone.
 *
 *     length int32 | correlation id int32 | error code int16 | error message ?string | auth bytes
 */
function throwIfRefused(answer: Buffer): void {
  if (answer.length < 16) return;
  const messageBytes = Math.max(0, answer.readInt16BE(10));
  const at = 12 + messageBytes;
  if (answer.length < at + 4) return;
  const text = answer.toString('utf8', at + 4, at + 4 + Math.max(0, answer.readInt32BE(at)));
  const status = /"status"\s*:\s*"([\w-]+)"/.exec(text)?.[1];
  if (text !== '') throw new Error(`SASL OAUTHBEARER authentication failed: ${status ?? 'refused'}`);
}

/** Behind its length and, of a request, what it asks for in which version. */
const numberInAnswerAt = 4;
const numberInRequestAt = 8;

/** A socket for the library to hold: it sees whole frames of a bounded length, and nothing after the handshake. */
function openForLibrary(
  wire: Wire,
  options: {
    address: Address;
    tls: ConnectionOptions | undefined;
    onConnect: () => void;
    onFrame: (bytes: Buffer) => void;
  },
): ClientSocket {
  const events = new EventEmitter();
  // Its requests go one by one; an answer to another one it would leave aside, and wait.
  let expected: number | undefined;
  wire.open({
    ...options.address,
    tls: options.tls,
    onConnect: options.onConnect,
    handshake: {
      onFrame(bytes) {
        const number = bytes.readInt32BE(numberInAnswerAt);
        if (number === expected) {
          options.onFrame(bytes);
          events.emit('data', bytes);
        } else wire.close(wrongAnswer(wire.broker, { expected: `number ${expected ?? 'none'}`, number }));
      },
      onFailure: (error) => events.emit('error', error),
    },
  });
  return {
    on: (event, listener) => events.on(event, listener),
    write: (bytes: Buffer) => {
      expected = bytes.readInt32BE(numberInRequestAt);
      wire.write(bytes);
    },
    end: () => undefined,
    unref: () => undefined,
  };
}

const findCoordinator = { name: 'FindCoordinator', apiKey: 10, version: 2 };
const spoken = [
  fetchMessage,
  metadataMessage,
  listOffsetsMessage,
  offsetForLeaderEpochMessage,
  offsetFetchMessage,
  offsetCommitMessage,
  findCoordinator,
  findCoordinatorsMessage,
  listGroupsMessage,
  describeConfigsMessage,
];

function checkVersions(broker: string, versions: Record<string, VersionRange>): void {
  for (const { name, apiKey, version } of spoken) {
    const range = versions[String(apiKey)];
    if (range !== undefined && range.minVersion <= version && version <= range.maxVersion) continue;
    const found = range === undefined ? 'none' : `${range.minVersion} to ${range.maxVersion}`;
    const older = range === undefined || range.maxVersion < version;
    throw new VarveError(
      'kafka-unsupported',
      `broker ${broker}: ${older ? 'kafka 3.1 or later is needed' : 'this kafka is too new'}: expected ${name} version ${version}, got ${found}`,
      { hint: older ? 'Back up a cluster of Kafka 3.1 or later.' : 'Use a newer version of this program.' },
    );
  }
}
