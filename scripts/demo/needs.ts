import { spawnSync } from 'node:child_process';
import { kafkaIsAtHand } from '../kafka/kafka.ts';

/** One line for a person whose machine lacks something, or nothing. */
export async function whatIsMissing(): Promise<string | undefined> {
  const lacking = [
    ...(canRun('java', '-version') && canRun('javac', '-version') ? [] : ['a Java 17 JDK (java, javac)']),
    ...((await kafkaIsAtHand()) || canRun('mvn', '-version')
      ? []
      : ['Maven (mvn), or KAFKA_HOME naming the folder of an unpacked Kafka']),
  ];
  if (lacking.length === 0) return undefined;
  return `missing on the PATH: ${lacking.join('; and ')}. On Debian: apt-get install openjdk-17-jdk-headless maven`;
}

function canRun(program: string, argument: string): boolean {
  return spawnSync(program, [argument], { stdio: 'ignore' }).status === 0;
}
