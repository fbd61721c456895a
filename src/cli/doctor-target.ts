import type { Config } from '../config/config.ts';
import type { CommandContext } from './command.ts';
import { failureOf, type Tell } from './findings.ts';
import { askTarget } from './repository.ts';

/** The child tries the target; one that hangs is a finding like another. */
export async function probeRepository(context: CommandContext, config: Config, tell: Tell): Promise<void> {
  try {
    for (const finding of await askTarget(context, { config, order: 'probe', params: undefined }))
      await tell({ ...finding, what: `target: ${finding.what}` });
  } catch (error) {
    await tell(failureOf('target', error));
  }
}
