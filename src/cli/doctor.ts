import type { Config } from '../config/config.ts';
import type { Command, CommandContext } from './command.ts';
import { probeKafka } from './doctor-kafka.ts';
import { probeLocal } from './doctor-local.ts';
import { probeRepository } from './doctor-target.ts';
import {
  findingDocument,
  gravestStatus,
  ok,
  printFinding,
  verdict,
  type Finding,
  type Tell,
} from './findings.ts';

export const command: Command = {
  name: 'doctor',
  summary: 'Probe whether this machine can do the work',
  description:
    'Tries what a backup needs: the configuration, the local folder (write, sync, link, socket, room), each broker, the ' +
    'topics that are asked for, whether they may be read, and the target (hard links, rename, fsync, reading back, ' +
    'clock, room, mount options). Writes probe files in both folders, removes them again, and changes nothing in the ' +
    'cluster. Ends with 0, or with the status of the gravest failure: 13 for the ' +
    'folder, 14 for room, 17 for Kafka, 3 for topics that are not there.',
  examples: [
    ['varve doctor', 'one line for each probe, with what to do where it fails'],
    ['varve doctor --set kafka.brokers=kafka:9092 --json', 'of another cluster, for programs'],
  ],
  needs: ['kafka.brokers', 'local.dir'],
  async run(context) {
    const { config, file } = await context.loadedConfig();
    const findings: Finding[] = [];
    const tell: Tell = async (finding) => {
      findings.push(finding);
      if (!context.json) await printFinding(context, finding);
    };
    await tell(ok('configuration', file ?? 'no file, only the environment and flags'));
    await probeAll(context, config, tell);
    const status = gravestStatus(findings);
    if (context.json) {
      const document = {
        schema: 'varve.doctor/1',
        able: status === 0,
        findings: findings.map(findingDocument),
      };
      await context.out(JSON.stringify(document));
    } else await context.out(verdict(findings, { good: 'able', bad: 'not able' }));
    return status;
  },
};

async function probeAll(context: CommandContext, config: Config, tell: Tell): Promise<void> {
  const boundCluster = await probeLocal(context, config, tell);
  await probeKafka(context, config, { boundCluster, tell });
  if (config.repository.dir !== undefined) await probeRepository(context, config, tell);
}
