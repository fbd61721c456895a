/** The server.properties of each broker: KRaft, loopback only, and quick where a test would otherwise wait. */
import type { BrokerTlsFiles } from './keys.ts';

export type ListenerName =
  | 'PLAINTEXT'
  | 'TLS'
  | 'MUTUALTLS'
  | 'SASL'
  | 'SASLTLS'
  | 'OAUTH'
  | 'PROXIED'
  | 'CONTROLLER';

export type BrokerLayout = {
  readonly id: number;
  readonly logDir: string;
  readonly rack?: string | undefined;
  readonly ports: ReadonlyMap<ListenerName, number>;
  /** What clients of the proxied listener are told to connect to. */
  readonly frontPort?: number | undefined;
};

export type Sasl = { readonly username: string; readonly password: string };

const protocols: Readonly<Record<ListenerName, string>> = {
  PLAINTEXT: 'PLAINTEXT',
  TLS: 'SSL',
  MUTUALTLS: 'SSL',
  SASL: 'SASL_PLAINTEXT',
  SASLTLS: 'SASL_SSL',
  OAUTH: 'SASL_PLAINTEXT',
  PROXIED: 'PLAINTEXT',
  CONTROLLER: 'PLAINTEXT',
};

export function listenerNames(options: {
  tls: boolean;
  sasl: boolean;
  oauth: boolean;
  proxied: boolean;
}): ListenerName[] {
  const names: ListenerName[] = ['PLAINTEXT', 'CONTROLLER'];
  if (options.tls) names.push('TLS', 'MUTUALTLS');
  if (options.sasl) names.push('SASL');
  if (options.sasl && options.tls) names.push('SASLTLS');
  if (options.oauth) names.push('OAUTH');
  if (options.proxied) names.push('PROXIED');
  return names;
}

export function serverProperties(
  broker: BrokerLayout,
  cluster: {
    readonly brokers: readonly BrokerLayout[];
    readonly tls: BrokerTlsFiles | undefined;
    readonly sasl: Sasl | undefined;
    readonly extra: Readonly<Record<string, string>>;
  },
): string {
  const properties = {
    ...identity(broker, cluster.brokers),
    ...replication(cluster.brokers.length),
    ...quick,
    ...(cluster.tls === undefined ? {} : tlsProperties(cluster.tls)),
    ...(cluster.sasl === undefined ? {} : saslProperties(cluster.sasl)),
    ...(broker.ports.has('OAUTH') ? oauthProperties : {}),
    ...cluster.extra,
  };
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

function identity(broker: BrokerLayout, brokers: readonly BrokerLayout[]): Record<string, string> {
  const listeners = [...broker.ports].map(([name, port]) => `${name}://127.0.0.1:${port}`);
  const advertised = [...broker.ports]
    .filter(([name]) => name !== 'CONTROLLER')
    .map(([name, port]) => `${name}://127.0.0.1:${name === 'PROXIED' ? broker.frontPort : port}`);
  const voters = brokers.map(({ id, ports }) => `${id}@127.0.0.1:${ports.get('CONTROLLER')}`);
  return {
    'process.roles': 'broker,controller',
    'node.id': String(broker.id),
    'controller.quorum.voters': voters.join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: listeners.join(','),
    'advertised.listeners': advertised.join(','),
    'listener.security.protocol.map': [...broker.ports.keys()]
      .map((name) => `${name}:${protocols[name]}`)
      .join(','),
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': broker.logDir,
    ...(broker.rack === undefined ? {} : { 'broker.rack': broker.rack }),
  };
}

function replication(brokerCount: number): Record<string, string> {
  const inSyncMin = String(Math.min(2, brokerCount));
  return {
    // A broker that is silent for so long leads nothing any more. On a machine that has much to do a single one, which
    // has nobody to lead in its place, is to be left in peace; of three, tests wait for the next leader.
    'broker.session.timeout.ms': brokerCount === 1 ? '30000' : '6000',
    'default.replication.factor': String(brokerCount),
    'min.insync.replicas': inSyncMin,
    'offsets.topic.replication.factor': String(brokerCount),
    'transaction.state.log.replication.factor': String(brokerCount),
    'transaction.state.log.min.isr': inSyncMin,
    'share.coordinator.state.topic.replication.factor': String(brokerCount),
    'share.coordinator.state.topic.min.isr': inSyncMin,
  };
}

/**
 * For a single broker that was ended: it may register again only when the controller has given its old session up, and the
 * controller is the one that starts with it.
 */
export const backSoon = 'broker.session.timeout.ms=1500\n';

const quick = {
  'num.partitions': '1',
  'offsets.topic.num.partitions': '5',
  'transaction.state.log.num.partitions': '2',
  'share.coordinator.state.topic.num.partitions': '2',
  'group.initial.rebalance.delay.ms': '0',
  'auto.create.topics.enable': 'false',
  // Tests write records of 1970, which the default week would delete at the first check: a topic asks for its own retention.
  'log.retention.ms': '-1',
  'log.retention.check.interval.ms': '1000',
  'log.cleaner.backoff.ms': '500',
  'log.segment.delete.delay.ms': '100',
  'log.initial.task.delay.ms': '1000',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000',
  'broker.heartbeat.interval.ms': '300',
  'replica.lag.time.max.ms': '10000',
  'message.max.bytes': '33554432',
  'num.network.threads': '2',
  'num.io.threads': '4',
  'controlled.shutdown.enable': 'true',
} satisfies Record<string, string>;

function tlsProperties(tls: BrokerTlsFiles): Record<string, string> {
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': tls.keyStoreFile,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': tls.trustStoreFile,
    'listener.name.mutualtls.ssl.client.auth': 'required',
  };
}

/**
 * PLAIN's users stand here; SCRAM's are made when the storage is formatted. Everybody may do everything until an ACL names
 * the resource, and the brokers and the plain listener's clients, who have no name, always may.
 */
function saslProperties({ username, password }: Sasl): Record<string, string> {
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  const properties: Record<string, string> = {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': 'true',
    'super.users': 'User:ANONYMOUS',
  };
  for (const listener of ['sasl', 'sasltls']) {
    const prefix = `listener.name.${listener}`;
    properties[`${prefix}.sasl.enabled.mechanisms`] = 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512';
    properties[`${prefix}.plain.sasl.jaas.config`] = `${plain} user_${username}="${password}";`;
    properties[`${prefix}.scram-sha-256.sasl.jaas.config`] = scram;
    properties[`${prefix}.scram-sha-512.sasl.jaas.config`] = scram;
  }
  return properties;
}

/** The broker's own check of unsigned tokens: whoever says who he is, is it, until the token's end. */
const oauthProperties = {
  'listener.name.oauth.sasl.enabled.mechanisms': 'OAUTHBEARER',
  'listener.name.oauth.oauthbearer.sasl.jaas.config':
    'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
} satisfies Record<string, string>;
