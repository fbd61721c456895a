import { VarveError } from '../errors.ts';
import type { Config, KafkaConfig, SaslConfig } from '../config/config.ts';
import { steadyMs, type Host } from '../host/host.ts';
import type { KafkaPorts, KafkaSettings, SaslSettings } from '../kafka/kafka.ts';
import { tokenSource } from './tokens.ts';

/** `host` for what a token needs, where the cluster wants one. */
export function kafkaSettings(kafka: KafkaConfig | Config['kafka'], host: Host): KafkaSettings {
  const { enabled, ...ssl } = kafka.ssl;
  const { brokers, clientId, rack, sasl } = kafka;
  return {
    brokers,
    clientId,
    rack,
    ssl: enabled ? ssl : undefined,
    sasl: sasl && saslSettings(sasl, host),
  };
}

function saslSettings(sasl: SaslConfig, host: Host): SaslSettings {
  const { mechanism, username = '', passwordFile, password } = sasl;
  if (mechanism === 'OAUTHBEARER') return { mechanism, tokens: tokenSource(sasl, host) };
  return { mechanism, username, passwordFile, password: password?.reveal() };
}

export function kafkaPorts(host: Host): KafkaPorts {
  return {
    nowMs: () => steadyMs(host.clock),
    after: (delayMs, run) => host.clock.after(delayMs, run),
    async readFile(path) {
      const bytes = await host.disk.readFile(path);
      if (bytes !== undefined) return bytes;
      throw new VarveError('config', `${path}: no such file`, {
        hint: 'check the path in the configuration',
      });
    },
  };
}
