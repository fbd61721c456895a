/** Where the demo's topics live: a Kafka of its own, or one that is there already. */
import { randomBytes } from 'node:crypto';
import { connectJava, JavaError, startKafka, type JavaClient } from '../kafka/kafka.ts';
import { shopTopics } from './shop.ts';

export interface DemoCluster extends AsyncDisposable {
  readonly what: string;
  readonly bootstrap: string;
  readonly java: JavaClient;
  /** Of each name that the demo makes there, so that nothing else is touched; not varve-, whose groups no restore sets. */
  readonly prefix: string;
  /** Where the broker keeps its log, if it is ours to read. */
  readonly logDir: string | undefined;
}

export async function ownCluster(): Promise<DemoCluster> {
  const kafka = await startKafka();
  return {
    what: `Kafka ${kafka.version}`,
    bootstrap: kafka.bootstrap,
    java: await kafka.java(),
    prefix: '',
    logDir: kafka.brokers[0]?.logDir,
    [Symbol.asyncDispose]: async () => kafka.stop(),
  };
}

/** The topics are taken away again, and the offsets of groups go with them. */
export async function foreignCluster(bootstrap: string): Promise<DemoCluster> {
  const java = await connectJava(bootstrap);
  const prefix = `demo-of-varve-${randomBytes(3).toString('hex')}.`;
  return {
    what: 'it',
    bootstrap,
    java,
    prefix,
    logDir: undefined,
    async [Symbol.asyncDispose]() {
      try {
        for (const topic of shopTopics) await deleteIfThere(java, `${prefix}${topic}`);
      } finally {
        await java.close();
      }
    },
  };
}

async function deleteIfThere(java: JavaClient, topic: string): Promise<void> {
  try {
    await java.deleteTopic(topic);
  } catch (error) {
    if (!(error instanceof JavaError && error.javaClass.includes('UnknownTopic'))) throw error;
  }
}
