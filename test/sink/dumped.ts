/** Kafka's own reader of log files, and what it has to say. */
import { expect } from 'vitest';
import type { Kafka } from '../../scripts/kafka/kafka.ts';

export const invalid = /isvalid: false|^Found |mismatch/im;
/** What the tool says of every file that does not begin at offset 0, the broker's own as well. */
const firstOfFile = /^Non-consecutive offsets in .*\n +-1 is followed by \d+\n/gm;
/** What Kafka 3 says of its own logging, whichever tool is run. */
const ofLogging = /^(?:SLF4J:|log4j:).*\n/gm;

export async function expectDumped(kafka: Kafka, paths: readonly string[]): Promise<void> {
  // A word of a command line has its limit, and the smallest segments are many.
  for (let at = 0; at < paths.length; at += 500) {
    const files = paths.slice(at, at + 500);
    const { status, stdout, stderr } = await dump(kafka, files);
    const told = stderr.replace(ofLogging, '').replace(firstOfFile, '');
    expect({ status, told }).toEqual({ status: 0, told: '' });
    expect(stdout.match(/^Dumping /gm)).toHaveLength(files.length);
    expect(stdout).toContain('isvalid: true');
    expect(stdout).not.toMatch(invalid);
  }
}

export async function dump(kafka: Kafka, files: readonly string[]): ReturnType<Kafka['runTool']> {
  const args = ['--deep-iteration', '--files', files.join(',')];
  const dumped = await kafka.runTool('org.apache.kafka.tools.DumpLogSegments', args);
  // Where the tool was until Kafka 4.2.
  const isElsewhere = dumped.stderr.includes('ClassNotFoundException');
  return isElsewhere ? kafka.runTool('kafka.tools.DumpLogSegments', args) : dumped;
}
