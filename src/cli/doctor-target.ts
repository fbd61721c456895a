import type { Config } from '../config/config.ts';
import type { CommandContext } from './command.ts';
import { failureOf, type Tell } from './findings.ts';
import { askTarget, recall } from './repository.ts';

/** The child tries the target; one that hangs is a finding like another. */
export async function probeRepository(context: CommandContext, config: Config, tell: Tell): Promise<void> {
  try {
    const memory = await recall(context, config);
    for (const finding of await askTarget(context, { config, order: 'probe', params: { memory } }))
      await tell({ ...finding, what: `target: ${finding.what}` });
  } catch (error) {
    await tell(failureOf('target', error));
  }
}
