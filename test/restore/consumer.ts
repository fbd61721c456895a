import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import type { Kafka } from '../../scripts/kafka/kafka.ts';

/** A Java consumer that has joined, and commits nothing; it leaves the group when it is disposed of. */
export async function startConsumer(
  kafka: Kafka,
  o: { topic: string; group: string; protocol: string; clientId: string },
): Promise<AsyncDisposable & { isRunning(): boolean }> {
  const properties = [`group.protocol=${o.protocol}`, `client.id=${o.clientId}`, 'enable.auto.commit=false'];
  const args = ['-Xmx256m', '-cp', kafka.libs, 'org.apache.kafka.tools.consumer.ConsoleConsumer'];
  args.push('--bootstrap-server', kafka.bootstrap, '--topic', o.topic, '--group', o.group);
  args.push(...properties.flatMap((property) => ['--consumer-property', property]));
  // Of a group that stands at the end, nothing would come; and no consumer outlives a test that was killed.
  args.push('--from-beginning', '--timeout-ms', '120000');
  const child = spawn('java', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const closed = once(child, 'close');
  await recordShown(child.stdout.setEncoding('utf8'));
  child.stdout.resume();
  return {
    isRunning: () => child.exitCode === null && child.signalCode === null,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await closed;
    },
  };
}

/** The tool has warnings of its own to print before it has joined anything. */
async function recordShown(output: Readable): Promise<void> {
  let shown = '';
  while (!/^\d+$/m.test(shown)) {
    const [text] = await once(output, 'data');
    shown += String(text);
  }
}
