import { createRequire } from 'node:module';
import { messageOf, VarveError } from '../errors.ts';

/**
 * The only importer of the Kafka client library, and the list of what is used of it: its Connection (which asks for a
 * socket, learns the API versions and authenticates) and its FindCoordinator request. These are internals: `loadClient`
 * tries each of them once, so that another version fails at the start, by name, and not in the middle of a night.
 */
export interface KafkaClient {
  connection(options: ClientConnectionOptions): ClientConnection;
  apiVersions(): ClientExchange<ClientApiVersions>;
  findCoordinator(group: string): ClientExchange<ClientCoordinator>;
}

export type ClientSasl =
  | { readonly mechanism: string; readonly username: string; readonly password: string }
  | { readonly mechanism: string; readonly oauthBearerProvider: () => Promise<{ readonly value: string }> };

interface ClientConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly ssl: object | null;
  /** The library keeps its authenticator in this object: a fresh one for each connection. */
  readonly sasl: ClientSasl | null;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly socketFactory: (request: { ssl: object | null; onConnect: () => void }) => ClientSocket;
}

/** What the library uses of a socket. */
export interface ClientSocket {
  on(event: string, listener: (argument: unknown) => void): unknown;
  write(bytes: Buffer): unknown;
  end(): unknown;
  unref(): unknown;
}

export interface ClientConnection {
  connect(): Promise<unknown>;
  send<T>(exchange: ClientExchange<T>): Promise<T>;
  setVersions(versions: Record<string, VersionRange>): void;
  setSupportAuthenticationProtocol(supported: boolean): void;
  authenticate(): Promise<void>;
  /** Milliseconds, in a class of its own; 0: without end. */
  readonly sessionLifetime: { toString(): string };
  readonly requestQueue: {
    readonly pending: readonly unknown[];
    maybeThrottle(throttleMs: number | null | undefined): void;
    scheduleCheckPendingRequests(): void;
    destroy(): void;
  };
}

export interface VersionRange {
  readonly minVersion: number;
  readonly maxVersion: number;
}

interface ClientExchange<T> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    encode(): Promise<{ readonly buffer: Buffer }>;
  };
  readonly response: { decode(payload: Buffer): Promise<unknown>; parse(decoded: unknown): Promise<T> };
}

interface ClientApiVersions {
  readonly apiVersions: readonly (VersionRange & { readonly apiKey: number })[];
}

export interface ClientCoordinator {
  readonly coordinator: { readonly nodeId: number; readonly host: string; readonly port: number };
}

type Load = (path: string) => unknown;

const require = createRequire(import.meta.url);

/** Named in full, so that tools which look for unused dependencies see what is used. */
const parts = new Map<string, () => unknown>([
  ['kafkajs/package.json', () => require('kafkajs/package.json')],
  ['kafkajs/src/network/connection', () => require('kafkajs/src/network/connection')],
  ['kafkajs/src/protocol/requests/apiVersions', () => require('kafkajs/src/protocol/requests/apiVersions')],
  [
    'kafkajs/src/protocol/requests/findCoordinator',
    () => require('kafkajs/src/protocol/requests/findCoordinator'),
  ],
]);

export const loadFromPackage: Load = (path) => parts.get(path)?.();

/** Loads the library and tries all that this room leans on. */
export async function loadClient(load: Load = loadFromPackage): Promise<KafkaClient> {
  try {
    const Connection = shape<new (options: object) => ClientConnection>(
      load('kafkajs/src/network/connection'),
    );
    const apiVersions = shape<Versioned<() => ClientExchange<ClientApiVersions>>>(
      load('kafkajs/src/protocol/requests/apiVersions'),
    );
    const findCoordinator = shape<
      Versioned<(request: { groupId: string }) => ClientExchange<ClientCoordinator>>
    >(load('kafkajs/src/protocol/requests/findCoordinator'));
    const client: KafkaClient = {
      connection: (options) => new Connection({ ...options, logger: silent }),
      apiVersions: () => apiVersions.protocol({ version: 2 })(),
      findCoordinator: (group) => findCoordinator.protocol({ version: 2 })({ groupId: group }),
    };
    await tryOut(client);
    return client;
  } catch (error) {
    throw new VarveError(
      'kafka-unsupported',
      `kafkajs ${versionFound(load)} cannot be used: expected the internals of 2.2.4, got: ${messageOf(error)}`,
      { cause: error, hint: 'Install the dependencies exactly as package-lock.json names them (npm ci).' },
    );
  }
}

/** The library has no types for its internals: these are hand-written, and `tryOut` finds out whether they hold. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller says what it expects
function shape<T>(part: unknown): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is claimed here is tried out before it is used
  return part as T;
}

interface Versioned<T> {
  protocol(options: { version: number }): T;
}

/** The library reports each failure twice, thrown and logged: the first is enough. */
const silent = { namespace: () => silent, debug: nothing, info: nothing, warn: nothing, error: nothing };
function nothing(): void {}

async function tryOut(client: KafkaClient): Promise<void> {
  const written: Buffer[] = [];
  const listeners = new Map<string, (argument: unknown) => void>();
  const socket: ClientSocket = {
    on: (event, listener) => listeners.set(event, listener),
    write: (bytes) => written.push(bytes),
    end: nothing,
    unref: nothing,
  };
  const connection = client.connection({
    host: 'self-test',
    port: 1,
    clientId: 'varve',
    ssl: null,
    connectionTimeout: 1000,
    requestTimeout: 1000,
    sasl: { mechanism: 'PLAIN', username: 'u', password: 'p' },
    socketFactory: ({ onConnect }) => {
      queueMicrotask(onConnect);
      return socket;
    },
  });
  tameRequestQueue(connection);
  try {
    await connection.connect();
    expect(
      ['data', 'end', 'error'].every((event) => listeners.has(event)),
      'listeners on the socket',
    );
    const answer = connection.send(client.apiVersions());
    // It may fail before anybody waits for it: what counts is the await below.
    answer.catch(nothing);
    await firstWrite(written);
    expect(written[0]?.toString('hex') === selfTest.apiVersionsRequest, 'an ApiVersions request, version 2');
    listeners.get('data')?.(Buffer.from(selfTest.apiVersionsResponse, 'hex'));
    expect((await answer).apiVersions[0]?.maxVersion === 7, 'the versions of an ApiVersions response');
  } finally {
    connection.requestQueue.destroy();
  }
  for (const method of ['setVersions', 'setSupportAuthenticationProtocol', 'authenticate'] as const) {
    expect(typeof connection[method] === 'function', `Connection.${method}`);
  }
  expect(connection.sessionLifetime.toString() === '0', 'Connection.sessionLifetime');
  expect(typeof connection.requestQueue.maybeThrottle === 'function', 'RequestQueue.maybeThrottle');
  await tryFindCoordinator(client);
}

async function tryFindCoordinator(client: KafkaClient): Promise<void> {
  const { request, response } = client.findCoordinator('g');
  expect(request.apiKey === 10 && request.apiVersion === 2, 'a FindCoordinator request, version 2');
  expect((await request.encode()).buffer.toString('hex') === selfTest.findCoordinatorRequest, 'its bytes');
  const decoded = await response.decode(Buffer.from(selfTest.findCoordinatorResponse, 'hex'));
  const { coordinator } = await response.parse(decoded);
  expect(coordinator.nodeId === 5 && coordinator.host === 'h' && coordinator.port === 9092, 'its response');
}

/** In hex; requests begin with their length where they are whole. */
const selfTest = {
  apiVersionsRequest: '0000000f001200020000000000057661727665',
  apiVersionsResponse: '000000140000000000000000000100010000000700000000',
  findCoordinatorRequest: '00016700',
  findCoordinatorResponse: '000000000000ffff0000000500016800002384',
};

/** A request is written some microtasks after it was sent: a bounded number of them, so that no clock is needed. */
async function firstWrite(written: readonly Buffer[]): Promise<void> {
  for (let turn = 0; turn < 100 && written.length === 0; turn += 1) await Promise.resolve();
}

/** The library's queue re-arms an empty timer for ever, a thousand times a second; here only while something waits. */
export function tameRequestQueue(connection: ClientConnection): void {
  const queue = connection.requestQueue;
  const schedule = queue.scheduleCheckPendingRequests.bind(queue);
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length > 0) schedule();
  };
}

/** Told of what a broker asks to wait: the library notes the end of it by the wall clock, which may be set. */
export function onThrottle(connection: ClientConnection, note: (throttleMs: number) => void): void {
  const queue = connection.requestQueue;
  const throttle = queue.maybeThrottle.bind(queue);
  queue.maybeThrottle = (throttleMs) => {
    throttle(throttleMs);
    if (typeof throttleMs === 'number') note(throttleMs);
  };
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`${what} is not as expected`);
}

function versionFound(load: Load): string {
  try {
    const found = load('kafkajs/package.json');
    if (typeof found === 'object' && found !== null && 'version' in found) return String(found.version);
  } catch {
    return '(not installed)';
  }
  return '(version unknown)';
}
