/** Starts a Kafka for a person to play with, until Ctrl-C: `node scripts/kafka/main.ts [--three] [--tls] [--sasl]`. */
import { once } from 'node:events';
import { startKafka } from './kafka.ts';

const known = ['--three', '--tls', '--sasl'];
const wanted = new Set(process.argv.slice(2));
const unknown = [...wanted].filter((option) => !known.includes(option));
if (unknown.length > 0) throw new Error(`unknown option ${unknown.join(' ')}; there are ${known.join(' ')}`);

const ended = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
await using kafka = await startKafka({
  brokers: wanted.has('--three') ? 3 : 1,
  tls: wanted.has('--tls'),
  sasl: wanted.has('--sasl'),
});
console.log(`Kafka ${kafka.version}, cluster ${kafka.clusterId}`);
for (const [name, addresses] of Object.entries(kafka.listeners)) console.log(`  ${name}: ${addresses}`);
for (const [name, file] of Object.entries(kafka.tls ?? {})) console.log(`  ${name}: ${file}`);
if (kafka.sasl !== undefined) console.log(`  user ${kafka.sasl.username}, password ${kafka.sasl.password}`);
console.log('Ctrl-C stops it and removes its data.');
await ended;
