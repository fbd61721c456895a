/**
 * Helm, and what knows the schemas of Kubernetes, for the tests of the chart. Helm is built from source, which takes some
 * minutes of two cores: so both lie in the user's cache folder, where every checkout finds them.
 */
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { mustRun, runCommand, type CommandResult } from '../kafka/command.ts';
import { madeOnce } from './made-once.ts';

const helmVersion = 'v3.22.0';
const validatorVersion = '1.37.0';

export interface Helm {
  readonly run: (args: readonly string[]) => Promise<CommandResult>;
  /** What is not as Kubernetes has it in these files, as text; `quiet` where nothing is. */
  readonly validate: (o: { files: readonly string[]; kubernetes: string }) => Promise<CommandResult>;
}

export async function prepareHelm(): Promise<Helm> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'varve');
  await mkdir(cache, { recursive: true });
  const [helm, validator] = await Promise.all([
    madeOnce(join(cache, `helm-${helmVersion}`), buildHelm),
    madeOnce(join(cache, `kubernetes-validate-${validatorVersion}`), installValidator),
  ]);
  return {
    run: async (args) => runCommand(join(helm, 'helm'), args),
    validate: async ({ files, kubernetes }) => {
      const options = ['--strict', '--quiet', '--no-warn', '-k', kubernetes];
      return runCommand('env', [
        `PYTHONPATH=${validator}`,
        'python3',
        '-m',
        'kubernetes_validate',
        ...options,
        ...files,
      ]);
    },
  };
}

async function buildHelm(target: string): Promise<void> {
  const environment = [`GOBIN=${target}`, 'CGO_ENABLED=0'];
  const install = ['go', 'install', `helm.sh/helm/v3/cmd/helm@${helmVersion}`];
  // Of two that find it missing, the second waits and takes what the first has compiled.
  const lock = join(dirname(target), 'helm.lock');
  await mustRun('flock', [lock, 'env', ...environment, ...install], {
    neededFor: `build helm ${helmVersion} (Go, once)`,
  });
}

async function installValidator(target: string): Promise<void> {
  const what = `kubernetes-validate==${validatorVersion}`;
  await mustRun('python3', ['-m', 'pip', 'install', '--quiet', '--target', target, what], {
    neededFor: `install ${what} (Python 3 with pip, once)`,
  });
}
