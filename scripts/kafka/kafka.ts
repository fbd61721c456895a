/**
 * A real Kafka for tests, the demo and the bench: KRaft brokers on free loopback ports with their data in a temporary
 * folder, and Kafka's own Java client and tools to check against.
 *
 * It promises that brokers answer when `startKafka` returns, that they are stopped by process id, and that they and their
 * data are gone when this process is, however it ended. It never listens beyond 127.0.0.1 and never touches a Kafka that
 * it did not start.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import { KafkaBroker } from './broker.ts';
import { type CommandResult, runCommand } from './command.ts';
import { type Jars, jarsAreAtHand, prepareJars, unpackedKafka } from './jars.ts';
import { JavaClient, quietLogging } from './java-client.ts';
import { makeKeys, type TlsFiles } from './keys.ts';
import { freePorts } from './ports.ts';
import {
  backSoon,
  type BrokerLayout,
  type ListenerName,
  listenerNames,
  type Sasl,
  serverProperties,
} from './properties.ts';
import { sharedClasses, type JvmArgs } from './shared-classes.ts';

export { KafkaBroker } from './broker.ts';
export { JavaClient, JavaError } from './java-client.ts';
export type * from './java-types.ts';
export type { TlsFiles } from './keys.ts';
export { type KafkaRow, parseRow } from './row.ts';

export type KafkaOptions = {
  readonly brokers?: 1 | 3;
  /** Default: the environment's KAFKA_VERSION, else that of its KAFKA_HOME, else 4.3.1. */
  readonly version?: string;
  /** Added to every broker's server.properties; they win over what stands there. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Listeners with TLS, with and without client certificates. */
  readonly tls?: boolean;
  /** Listeners with PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, and an authorizer. */
  readonly sasl?: boolean;
  /** A listener with OAUTHBEARER that takes unsigned tokens. */
  readonly oauth?: boolean;
  /** A listener whose clients are told of other ports, one per broker, on which a test may stand in between. */
  readonly proxied?: boolean;
  /** Where each broker stands, one for each. */
  readonly racks?: readonly string[];
  /** Of each broker. Given, the JVM also compiles to its full speed, which a bench wants and a quick test does not. */
  readonly heapMb?: number;
};

/** Each a comma-separated list of host:port, one per broker. */
export type KafkaListeners = {
  readonly plaintext: string;
  readonly tls?: string;
  /** The client must show a certificate. */
  readonly mutualTls?: string;
  readonly saslPlain?: string;
  readonly saslTls?: string;
  readonly oauth?: string;
  readonly proxied?: string;
  /** Where the clients of the proxied listener are told to go; nobody listens there yet. */
  readonly fronts?: string;
};

export type Kafka = AsyncDisposable & {
  readonly version: string;
  /** The plain listeners. */
  readonly bootstrap: string;
  readonly clusterId: string;
  /** A class path with Kafka and its tools. */
  readonly libs: string;
  readonly brokers: readonly KafkaBroker[];
  readonly listeners: KafkaListeners;
  readonly tls?: TlsFiles;
  readonly sasl?: Sasl;
  /** Runs one of Kafka's own tools by its class. With a `heapMb` the JVM compiles to its full speed, as a broker does. */
  runTool(mainClass: string, args: readonly string[], options?: ToolOptions): Promise<CommandResult>;
  /** Started at the first call, shared by all. */
  java(): Promise<JavaClient>;
  stop(): Promise<void>;
};

export type ToolOptions = { readonly input?: string; readonly heapMb?: number };

const kafkaVersionDefault = '4.3.1';
const startAttemptsMax = 4;
const toolHeapMb = 512;
const quickStart = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto'];
const sasl: Sasl = { username: 'alice', password: 'alice-secret' };

export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const version = options.version ?? (await versionAsked());
  const jars = await prepareJars(version);
  const jvm = await sharedClasses(jars.folder, async (making) =>
    startSomewhere({ options: {}, version, jars, jvm: making }),
  );
  return startSomewhere({ options, version, jars, jvm });
}

async function startSomewhere(start: Start): Promise<Kafka> {
  for (let attempt = 1; ; attempt++) {
    const folder = await mkdtemp(join(tmpdir(), 'varve-kafka-'));
    try {
      return await startIn(folder, start);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      // Somebody took a port between our look and the broker's: that is the only failure worth another try.
      const portTaken = error instanceof Error && /BindException|Address already in use/.test(error.message);
      if (!portTaken || attempt === startAttemptsMax) throw error;
    }
  }
}

/** The Java client alone, for brokers that are there already. */
export async function connectJava(bootstrap: string): Promise<JavaClient> {
  const { classPath } = await prepareJars(await versionAsked());
  const logFd = openSync(devNull, 'a');
  const client = new JavaClient({ classPath, jvmArgs: [], bootstrap, logFd, heapMb: 512 });
  closeSync(logFd);
  return client;
}

/** Whether starting it needs no Maven. */
export async function kafkaIsAtHand(): Promise<boolean> {
  return jarsAreAtHand(await versionAsked());
}

async function versionAsked(): Promise<string> {
  return process.env['KAFKA_VERSION'] ?? (await unpackedKafka())?.version ?? kafkaVersionDefault;
}

type Start = {
  readonly options: KafkaOptions;
  readonly version: string;
  readonly jars: Jars;
  readonly jvm: JvmArgs;
};

async function startIn(folder: string, start: Start): Promise<Kafka> {
  const { options, version, jars, jvm } = start;
  const keys = options.tls === true ? await makeKeys(folder) : undefined;
  const credentials = options.sasl === true ? sasl : undefined;
  const layouts = await layBrokersOut(folder, options);
  const clusterId = newClusterId();
  const cluster = { brokers: layouts, tls: keys?.broker, sasl: credentials, extra: options.properties ?? {} };
  const brokers = await Promise.all(
    layouts.map(async (layout) => {
      const propertiesFile = join(folder, `server-${layout.id}.properties`);
      await mkdir(layout.logDir);
      await writeFile(propertiesFile, serverProperties(layout, cluster));
      return new KafkaBroker({
        id: layout.id,
        port: portOf(layout, 'PLAINTEXT'),
        logDir: layout.logDir,
        logFile: join(folder, `broker-${layout.id}.log`),
        propertiesFile,
        clusterFolder: folder,
        javaArgs: [...jvm.broker, ...brokerJavaArgs(jars, options)],
        formatArgs: formatArgs({ clusterId, propertiesFile, credentials }),
        propertiesAgain: layouts.length === 1 ? backSoon : '',
      });
    }),
  );
  await startAll(brokers);
  const client = lazyClient({ start, folder, bootstrap: addresses(layouts, 'PLAINTEXT') });
  const stop = async (): Promise<void> => {
    await client.close();
    // The data goes anyway, so nothing is gained by a controlled shutdown.
    await Promise.all(brokers.map((broker) => broker.kill()));
    await rm(folder, { recursive: true, force: true });
  };
  return {
    version,
    bootstrap: addresses(layouts, 'PLAINTEXT'),
    clusterId,
    libs: jars.classPath,
    brokers,
    listeners: listenersOf(layouts, options),
    ...(keys === undefined ? {} : { tls: keys.files }),
    ...(credentials === undefined ? {} : { sasl: credentials }),
    runTool: (mainClass, args, { input, heapMb } = {}) => {
      const size = heapMb === undefined ? [`-Xmx${toolHeapMb}m`, ...quickStart] : [`-Xmx${heapMb}m`];
      const tool = [...size, ...quietLogging, '-cp', jars.classPath, mainClass];
      return runCommand('java', [...jvm.client, ...tool, ...args], input === undefined ? {} : { input });
    },
    java: () => client.get(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Kafka's text form of a random id, but never with the leading dash that StorageTool takes for an option. */
function newClusterId(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8(bytes.readUInt8(0) & 0x7f, 0);
  return bytes.toString('base64url');
}

async function layBrokersOut(folder: string, options: KafkaOptions): Promise<BrokerLayout[]> {
  const names = listenerNames({
    tls: options.tls === true,
    sasl: options.sasl === true,
    oauth: options.oauth === true,
    proxied: options.proxied === true,
  });
  const count = options.brokers ?? 1;
  const fronts = options.proxied === true ? count : 0;
  const ports = await freePorts(count * names.length + fronts);
  return Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    rack: options.racks?.[index],
    logDir: join(folder, `data-${index + 1}`),
    ports: new Map(names.map((name) => [name, ports.pop() ?? 0])),
    frontPort: options.proxied === true ? ports.pop() : undefined,
  }));
}

function brokerJavaArgs(jars: Jars, options: KafkaOptions): string[] {
  const heapMb = options.heapMb ?? (options.brokers === 3 ? 384 : 512);
  const speed = options.heapMb === undefined ? quickStart : ['-XX:+UseG1GC'];
  return [`-Xmx${heapMb}m`, ...speed, ...quietLogging, '-cp', jars.classPath];
}

function formatArgs(storage: {
  clusterId: string;
  propertiesFile: string;
  credentials: Sasl | undefined;
}): string[] {
  const args = ['format', '-t', storage.clusterId, '-c', storage.propertiesFile];
  if (storage.credentials === undefined) return args;
  const { username, password } = storage.credentials;
  const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${username},password=${password},iterations=4096]`,
  ]);
  return [...args, ...scram];
}

async function startAll(brokers: readonly KafkaBroker[]): Promise<void> {
  const ids = brokers.map(({ id }) => id);
  const started = await Promise.allSettled(brokers.map((broker) => broker.start(ids)));
  const failed = started.find((result) => result.status === 'rejected');
  if (failed === undefined) return;
  await Promise.all(brokers.map((broker) => broker.kill()));
  throw failed.reason;
}

function lazyClient(at: { start: Start; folder: string; bootstrap: string }): {
  get(): Promise<JavaClient>;
  close(): Promise<void>;
} {
  let client: JavaClient | undefined;
  return {
    async get() {
      if (client === undefined) {
        const logFd = openSync(join(at.folder, 'java-client.log'), 'a');
        client = new JavaClient({
          classPath: at.start.jars.classPath,
          jvmArgs: at.start.jvm.client,
          bootstrap: at.bootstrap,
          logFd,
          heapMb: 1024,
        });
        closeSync(logFd);
      }
      return client;
    },
    async close() {
      await client?.close();
    },
  };
}

function listenersOf(layouts: readonly BrokerLayout[], options: KafkaOptions): KafkaListeners {
  const tls = options.tls === true;
  const withSasl = options.sasl === true;
  return {
    plaintext: addresses(layouts, 'PLAINTEXT'),
    ...(tls ? { tls: addresses(layouts, 'TLS'), mutualTls: addresses(layouts, 'MUTUALTLS') } : {}),
    ...(withSasl ? { saslPlain: addresses(layouts, 'SASL') } : {}),
    ...(withSasl && tls ? { saslTls: addresses(layouts, 'SASLTLS') } : {}),
    ...(options.oauth === true ? { oauth: addresses(layouts, 'OAUTH') } : {}),
    ...(options.proxied === true
      ? {
          proxied: addresses(layouts, 'PROXIED'),
          fronts: layouts.map(({ frontPort }) => `127.0.0.1:${frontPort}`).join(','),
        }
      : {}),
  };
}

function addresses(layouts: readonly BrokerLayout[], name: ListenerName): string {
  return layouts.map((layout) => `127.0.0.1:${portOf(layout, name)}`).join(',');
}

function portOf(layout: BrokerLayout, name: ListenerName): number {
  const port = layout.ports.get(name);
  if (port === undefined) throw new Error(`broker ${layout.id} has no listener ${name}`);
  return port;
}
