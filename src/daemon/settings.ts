import { VarveError } from '../errors.ts';
import type { Config, KafkaConfig } from '../config/config.ts';
import type { Host } from '../host/host.ts';
import type { KafkaPorts, KafkaSettings } from '../kafka/kafka.ts';

export function kafkaSettings(kafka: KafkaConfig | Config['kafka']): KafkaSettings {
  const { enabled, ...ssl } = kafka.ssl;
  const { sasl } = kafka;
  if (sasl?.mechanism === 'OAUTHBEARER' || (sasl !== undefined && sasl.username === undefined)) {
    throw new VarveError('config', `kafka.sasl.mechanism: ${sasl.mechanism} is not supported yet`, {
      hint: 'use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512',
    });
  }
  return {
    brokers: kafka.brokers,
    clientId: kafka.clientId,
    rack: kafka.rack,
    ssl: enabled ? ssl : undefined,
    sasl: sasl && {
      mechanism: sasl.mechanism,
      username: sasl.username ?? '',
      passwordFile: sasl.passwordFile,
      password: sasl.password?.reveal(),
    },
  };
}

export function kafkaPorts(host: Host): KafkaPorts {
  return {
    nowMs: () => host.clock.nowMs(),
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
