/**
 * What JVMs share: the classes of a broker and of the Java client as one run left them, parsed and checked, which halves
 * what each later start costs. A JVM that the archive does not fit (another version, other jars) does without it.
 */
import { join } from 'node:path';
import { madeOnce } from '../tools/made-once.ts';
import type { Kafka } from './kafka.ts';

export type JvmArgs = { readonly broker: readonly string[]; readonly client: readonly string[] };

/** What it complains about costs time and nothing else, and a tool's output must hold only its own. */
const quiet = '-Xlog:cds*=off';

/** In `folder`; made there at the first call, from a Kafka of its own that `start` starts with the arguments given. */
export async function sharedClasses(
  folder: string,
  start: (jvm: JvmArgs) => Promise<Kafka>,
): Promise<JvmArgs> {
  const at = await madeOnce(join(folder, 'shared'), async (target) => {
    const kafka = await start(argsFor('-XX:ArchiveClassesAtExit', target));
    try {
      await workWith(kafka);
      // The archive is written when a JVM ends by itself.
      await (await kafka.java()).close();
      await kafka.brokers[0]?.stop();
    } finally {
      await kafka.stop();
    }
  });
  return argsFor('-XX:SharedArchiveFile', at);
}

function argsFor(option: string, folder: string): JvmArgs {
  const args = (name: string): string[] => [quiet, `${option}=${join(folder, name)}`];
  return { broker: args('broker.jsa'), client: args('client.jsa') };
}

/** Only what has been used is shared. */
async function workWith(kafka: Kafka): Promise<void> {
  const java = await kafka.java();
  const topic = 'used';
  await java.createTopic({ topic });
  await java.produce({ topic, records: [{ value: 'a' }] });
  await java.commitOffsets({ group: 'used', offsets: [{ topic, partition: 0, offset: 1n }] });
  await java.beginTransaction({ transactionalId: 'used' });
  await java.produce({ topic, records: [{ value: 'b' }], transactionalId: 'used' });
  await java.commitTransaction('used');
  await java.consumeLines({ topic, isolation: 'read_committed' });
  await java.listOffsets(topic);
  await java.describeTopic(topic);
  await java.describeConfigs(topic);
  await java.deleteTopic(topic);
}
