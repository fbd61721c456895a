import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { parseArgs } from '../../src/cli/args.ts';
import { commandRows } from '../../src/cli/commands.ts';
import { requestOf } from '../../src/cli/restore-options.ts';
import { checkChoice } from '../../src/cli/sources.ts';
import { run } from '../cli/surroundings.ts';
import { checkout } from '../tidy/tree.ts';
import { Bench, type Container, type Pod, type Rendered } from './rendered.ts';
import { choices, targets } from './values.ts';

let bench: Bench;
const matrix = new Map<string, Rendered>();

beforeAll(async () => {
  bench = await Bench.open();
  for (const [target, where] of Object.entries(targets)) {
    for (const [choice, values] of Object.entries(choices)) {
      // What else is chosen has no say in how the target is mounted, but for the jobs.
      if (target === 'its own claim' || ['nothing', 'everything'].includes(choice))
        matrix.set(`${choice}, ${target}`, await bench.render({ ...values, ...where }));
    }
  }
}, 1_800_000); // the first time on a machine, Helm is built

afterAll(async () => bench?.[Symbol.asyncDispose]());

const textOf = async (path: string): Promise<string> => readFile(join(checkout, path), 'utf8');
const containersOf = ({ initContainers = [], containers }: Pod): Container[] => [
  ...initContainers,
  ...containers,
];

const checksumIn = ({ text }: Rendered): string | undefined => /checksum\/config: (\S+)/.exec(text)?.[1];
const targetIn = (name: string): unknown =>
  matrix
    .get(name)
    ?.podOf('StatefulSet')
    .volumes.find((one) => one.name === 'target');

async function jobFor(job: object, more: object = {}): Promise<string> {
  const values = { ...more, restore: { job: { enabled: true, args: ['--topic', 'orders'], ...job } } };
  return (await bench.render(values)).only('Job').metadata.name;
}

/** What the Pod Security Standard `restricted` lets a pod mount. */
const restrictedVolumes = ['configMap', 'secret', 'emptyDir', 'persistentVolumeClaim'];

function eachPod(check: (pod: Pod, what: string) => void): void {
  for (const [name, rendered] of matrix)
    for (const { from, pod } of rendered.pods) check(pod, `${from} with ${name}`);
}

describe('the chart', () => {
  test('lint finds nothing, strictly', async () => {
    const { status, stdout } = await bench.helm.run(['lint', '--strict', join(checkout, 'chart')]);
    expect(stdout).toContain('0 chart(s) failed');
    expect(status).toBe(0);
  });

  test.each(['1.27', '1.37'])(
    'Kubernetes %s knows every field of it, with any values',
    async (kubernetes) => {
      const different = new Set([...matrix.values()].flatMap(({ text }) => text.split('\n---\n')));
      const files = [await bench.write([...different].join('\n---\n'))];
      const { status, stdout, stderr } = await bench.helm.validate({ files, kubernetes });
      expect(stdout + stderr).toBe('');
      expect(status).toBe(0);
    },
  );

  test('a misspelt field would be seen', async () => {
    const { text } = await bench.render();
    const file = await bench.write(text.replace('readOnlyRootFilesystem', 'readOnlyRootFileSystem'));
    const { status } = await bench.helm.validate({ files: [file], kubernetes: '1.37' });
    expect(status).toBe(1);
  });

  test('it is of the version that it installs', async () => {
    const chart = parse(await textOf('chart/Chart.yaml'));
    expect(chart.appVersion).toBe(manifest.version);
    const [varve] = (await bench.render()).podOf('StatefulSet').containers;
    expect(varve?.image).toBe(`varve:${manifest.version}`);
  });

  test('packed, it renders the same', async () => {
    await bench.helm.run(['package', join(checkout, 'chart'), '-d', bench.folder]);
    const packed = join(bench.folder, `varve-${parse(await textOf('chart/Chart.yaml')).version}.tgz`);
    const { text } = await bench.render(choices.everything, { chart: packed });
    expect(text).toBe((await bench.render(choices.everything)).text);
  });

  test('what it makes has names that Kubernetes takes, of any release', async () => {
    const rendered = [...matrix.values()];
    for (const release of ['r'.repeat(53), '123', '1.2', 'my.release'])
      rendered.push(await bench.render(choices.jobs, { release }));
    for (const { kind, metadata } of rendered.flatMap((one) => one.resources)) {
      expect(metadata.name.length, metadata.name).toBeLessThanOrEqual(kind === 'CronJob' ? 52 : 63);
      expect(metadata.name).toMatch(/^[a-z]([-a-z0-9]*[a-z0-9])?$/);
    }
  });
});

describe('every pod', () => {
  test('asks for no privilege', () => {
    eachPod((pod, what) => {
      expect(pod, what).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      for (const forbidden of ['hostNetwork', 'hostPID', 'hostIPC'])
        expect(pod, what).not.toHaveProperty(forbidden);
      const kinds = pod.volumes.flatMap((volume) => Object.keys(volume)).filter((key) => key !== 'name');
      expect(restrictedVolumes, what).toEqual(expect.arrayContaining(kinds.filter((kind) => kind !== 'nfs')));
      expect(kinds.includes('nfs'), what).toBe(what.endsWith(', NFS'));
      for (const container of containersOf(pod)) {
        expect(container.securityContext, what).toEqual({
          privileged: false,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          runAsNonRoot: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    });
  });

  test('is of uid 10001 unless told otherwise, and of numbers in any case', () => {
    const usual = matrix.get('jobs, its own claim')?.pods ?? [];
    expect(usual.map(({ from }) => from.split(' ')[0])).toEqual([
      'StatefulSet',
      'Job',
      'CronJob',
      'CronJob',
      'Pod',
    ]);
    for (const { pod } of usual)
      expect(pod.securityContext).toMatchObject({ runAsUser: 10_001, runAsGroup: 10_001, fsGroup: 10_001 });
    for (const { pod } of matrix.get('everything, NFS')?.pods ?? []) {
      expect(pod.securityContext).toMatchObject({
        runAsUser: 2_000_000,
        runAsGroup: 3000,
        supplementalGroups: [4000],
      });
      expect(pod.securityContext).not.toHaveProperty('fsGroup');
    }
  });

  test('has the key as a file that its user can read, and no secret in a variable of ours', () => {
    eachPod((pod, what) => {
      const key = pod.volumes.find(({ name }) => name === 'key');
      const mode = 'fsGroup' in pod.securityContext ? 0o440 : 0o444;
      expect(key, what).toMatchObject({ secret: { defaultMode: mode } });
      for (const { env = [], volumeMounts } of containersOf(pod)) {
        expect(volumeMounts, what).toContainEqual({
          name: 'key',
          mountPath: '/run/secrets/varve-key',
          readOnly: true,
        });
        expect(
          env.map(({ name }) => name).filter((name) => name !== 'VARVE_OBSERVE_PING'),
          what,
        ).toEqual([]);
      }
    });
  });

  test('writes to /tmp, the local folder and the target, which are volumes', () => {
    eachPod((pod, what) => {
      expect(pod.volumes, what).toContainEqual({ name: 'tmp', emptyDir: { sizeLimit: '256Mi' } });
      for (const { volumeMounts } of containersOf(pod)) {
        const written = volumeMounts
          .filter(({ readOnly }) => readOnly !== true)
          .map(({ mountPath }) => mountPath);
        const restores = what.startsWith('Job ');
        expect(written.toSorted(), what).toEqual([
          ...(restores ? [] : ['/backup']),
          '/tmp',
          '/var/lib/varve',
        ]);
      }
    });
  });

  test('may use 768Mi', () => {
    eachPod((pod, what) => {
      for (const { resources } of containersOf(pod))
        expect(resources, what).toMatchObject({ limits: { memory: '768Mi' } });
    });
  });

  test('runs a command that the program takes', async () => {
    for (const { pods } of matrix.values()) {
      for (const { pod } of pods) {
        for (const { args } of pod.containers) {
          const row = commandRows.find(({ name }) => name === args[0]);
          if (row === undefined) throw new Error(`no command: ${args.join(' ')}`);
          const parsed = await parseArgs(args.slice(1), await row.load());
          if (row.name === 'restore') checkChoice(requestOf(parsed));
        }
      }
    }
  });

  test('finds in its configuration only files that are mounted, and what the program accepts', async () => {
    for (const [name, rendered] of matrix) {
      for (const { from, pod } of rendered.pods) {
        const what = `${from} with ${name}`;
        const files = { '/etc/varve/varve.yaml': rendered.configOf(pod) };
        const { status, stdout, stderr } = await run(['config', 'print', '--json'], { files });
        expect(stderr, what).toBe('');
        expect(status, what).toBe(0);
        const { values }: { values: { path: string; value: unknown }[] } = JSON.parse(stdout);
        const places = values.flatMap(({ path, value }) =>
          typeof value === 'string' && /(?:File|\.dir)$/.test(path) ? [value] : [],
        );
        const mounts = containersOf(pod).flatMap(({ volumeMounts }) =>
          volumeMounts.map(({ mountPath }) => mountPath),
        );
        expect(places.length, what).toBeGreaterThan(1);
        for (const place of places)
          expect(
            mounts.filter((mount) => place.startsWith(`${mount}/`)).length,
            `${what}: ${place}`,
          ).toBeGreaterThan(0);
      }
    }
  });
});

describe('the daemon', () => {
  test('has a configuration file that is whole', async () => {
    for (const [name, rendered] of matrix) {
      const files = { '/etc/varve/varve.yaml': rendered.configOf(rendered.podOf('StatefulSet')) };
      const ran = await run(['config', 'validate'], { files });
      expect(ran, name).toEqual({ status: 0, stdout: 'ok: /etc/varve/varve.yaml\n', stderr: '' });
    }
  });

  test('takes its values as they were given', async () => {
    const rendered = await bench.render(choices.secured);
    const config = parse(rendered.configOf(rendered.podOf('StatefulSet')));
    expect(config).toMatchObject(choices.secured.config);
    expect(config).toMatchObject({
      local: { dir: '/var/lib/varve/local' },
      repository: { dir: '/backup/varve', keyFile: '/run/secrets/varve-key/key' },
      observe: { host: '0.0.0.0', port: 8080 },
    });
    const words = await bench.render(choices['a passphrase']);
    expect(parse(words.configOf(words.podOf('StatefulSet'))).repository).toEqual({
      dir: '/backup/varve',
      passphraseFile: '/run/secrets/varve-key/passphrase',
    });
  });

  test('needs nothing but a Secret varve-key, brokers at kafka:9092 and a claim', async () => {
    const rendered = await bench.render();
    const pod = rendered.podOf('StatefulSet');
    expect(parse(rendered.configOf(pod)).kafka).toEqual({ brokers: ['kafka:9092'] });
    expect(pod.volumes).toContainEqual({
      name: 'key',
      secret: { secretName: 'varve-key', defaultMode: 0o440 },
    });
    expect(pod.volumes).toContainEqual({
      name: 'target',
      persistentVolumeClaim: { claimName: 'varve-target' },
    });
    expect(rendered.only('PersistentVolumeClaim').metadata.annotations).toEqual({
      'helm.sh/resource-policy': 'keep',
    });
    expect(rendered.resources.map(({ kind }) => kind).toSorted()).toEqual([
      'ConfigMap',
      'NetworkPolicy',
      'PersistentVolumeClaim',
      'Pod',
      'PodDisruptionBudget',
      'Service',
      'ServiceAccount',
      'StatefulSet',
    ]);
    expect(rendered.text).not.toContain('kind: Secret');
  });

  test('is asked for its health without the target', () => {
    for (const rendered of matrix.values()) {
      const [varve] = rendered.podOf('StatefulSet').containers;
      expect(varve?.startupProbe?.httpGet).toEqual({ path: '/livez', port: 'http' });
      expect(varve?.livenessProbe?.httpGet).toEqual({ path: '/livez', port: 'http' });
      expect(varve?.readinessProbe?.httpGet).toEqual({ path: '/readyz', port: 'http' });
    }
  });

  test('is one, has time to end, and starts anew with another configuration', async () => {
    const [one, other] = [await bench.render(), await bench.render(choices.secured)];
    // Parallel: with the other policy, Kubernetes waits for a pod that is wrong instead of replacing it.
    expect(one.only('StatefulSet').spec).toMatchObject({ replicas: 1, podManagementPolicy: 'Parallel' });
    expect(one.podOf('StatefulSet')).toMatchObject({ terminationGracePeriodSeconds: 120 });
    expect(checksumIn(one)).toMatch(/^[0-9a-f]{64}$/);
    expect(checksumIn(other)).not.toBe(checksumIn(one));
  });

  test('lets its node be drained, and only its namespace reach it', async () => {
    const rendered = await bench.render();
    const daemon = { 'app.kubernetes.io/component': 'daemon' };
    expect(rendered.only('PodDisruptionBudget').spec).toMatchObject({
      maxUnavailable: 1,
      selector: { matchLabels: daemon },
    });
    expect(rendered.only('Service').spec).toMatchObject({ selector: daemon });
    expect(rendered.only('StatefulSet').spec).toMatchObject({ template: { metadata: { labels: daemon } } });
    expect(rendered.only('NetworkPolicy').spec).toMatchObject({
      policyTypes: ['Ingress'],
      ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 'http', protocol: 'TCP' }] }],
    });
    const policy = (await bench.render(choices.placed)).only('NetworkPolicy').spec;
    expect(policy).toMatchObject({ policyTypes: ['Ingress', 'Egress'] });
    expect(policy?.['egress']).toHaveLength(2);
  });

  test('has its volume where it was chosen', () => {
    expect(targetIn('nothing, NFS')).toEqual({
      name: 'target',
      nfs: { server: 'nfs.example', path: '/export/varve' },
    });
    expect(targetIn('nothing, a claim of one node')).toEqual({
      name: 'target',
      persistentVolumeClaim: { claimName: 'disk' },
    });
  });
});

describe('the jobs', () => {
  test('there are none unless they are asked for', async () => {
    const { pods } = await bench.render();
    expect(pods.map(({ from }) => from)).toEqual(['StatefulSet varve', 'Pod varve-doctor']);
  });

  test('drill and verify run on schedule, one at a time, in the time zone of the cycles, and are not tried again', () => {
    const rendered = matrix.get('everything, its own claim');
    for (const command of ['drill', 'verify']) {
      expect(rendered?.named(`varve-${command}`)).toMatchObject({
        kind: 'CronJob',
        spec: {
          timeZone: 'Europe/Zurich',
          concurrencyPolicy: 'Forbid',
          jobTemplate: { spec: { backoffLimit: 0 } },
        },
      });
    }
  });

  test('they run beside the daemon where only one node has the target', () => {
    for (const { from, pod } of matrix.get('everything, a claim of one node')?.pods ?? []) {
      if (from.startsWith('StatefulSet ')) expect(pod).toMatchObject({ affinity: { nodeAffinity: {} } });
      else
        expect(pod, from).toHaveProperty(
          'affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution',
        );
    }
  });

  test('a restore has its own target, key and secrets, keeps nothing here, and goes on after a lost pod', async () => {
    const rendered = await bench.render(choices.jobs);
    const pod = rendered.podOf('Job');
    expect(pod.containers[0]?.args).toEqual([
      'restore',
      ...choices.jobs.restore.job.args,
      '--yes',
      '--target',
      'restore-job',
    ]);
    const config = parse(rendered.configOf(pod));
    expect(config.targets).toEqual({ 'restore-job': choices.jobs.restore.job.cluster });
    expect(config.local).not.toHaveProperty('dir');
    expect(pod.volumes).toContainEqual({
      name: 'key',
      secret: { secretName: 'escrow-key', defaultMode: 0o440 },
    });
    expect(pod.volumes).toContainEqual({
      name: 'secret-dr',
      secret: { secretName: 'dr-user', defaultMode: 0o440 },
    });
    expect(rendered.podOf('StatefulSet').volumes.map(({ name }) => name)).not.toContain('secret-dr');
    expect(rendered.only('Job').spec).toMatchObject({ backoffLimit: 6 });
  });

  test('a release without a daemon has the jobs alone', async () => {
    const rendered = await bench.render({
      ...choices.jobs,
      daemon: { enabled: false },
      target: targets.NFS.target,
    });
    expect(rendered.resources.map(({ kind }) => kind).toSorted()).toEqual([
      'ConfigMap',
      'ConfigMap',
      'ConfigMap',
      'CronJob',
      'CronJob',
      'Job',
      'NetworkPolicy',
      'Pod',
      'PrometheusRule',
      'ServiceAccount',
    ]);
    expect(await bench.notes({ daemon: { enabled: false } })).not.toContain('kubectl exec');
  });

  test('another restore is another Job; another configuration or image makes none, so that none runs twice', async () => {
    const name = await jobFor({});
    expect(await jobFor({}, choices.secured)).toBe(name);
    expect(await jobFor({}, choices.placed)).toBe(name);
    expect(await jobFor({ args: ['--topic', 'payments'] })).not.toBe(name);
    expect(await jobFor({ cluster: { brokers: ['dr:9092'] } })).not.toBe(name);
  });
});

describe('what watches it', () => {
  test('the rules are those of config/alerts.yaml, the dashboard that of config/dashboard.json', async () => {
    const rendered = await bench.render(choices.jobs);
    expect(rendered.only('PrometheusRule').spec).toEqual(parse(await textOf('config/alerts.yaml')));
    expect(rendered.only('PrometheusRule').metadata).toMatchObject({ labels: { release: 'prometheus' } });
    const dashboard = rendered.named('varve-dashboard');
    expect(dashboard.metadata).toMatchObject({ labels: { grafana_dashboard: '1' } });
    expect(dashboard.data?.['varve.json']).toBe(await textOf('config/dashboard.json'));
  });

  test('the service monitor reads /metrics of the port that the daemon has', async () => {
    const rendered = await bench.render(choices.jobs);
    expect(rendered.only('ServiceMonitor').spec?.['endpoints']).toEqual([
      { port: 'http', path: '/metrics', interval: '30s' },
    ]);
    expect(rendered.only('Service').spec?.['ports']).toMatchObject([{ name: 'http', targetPort: 'http' }]);
  });

  test('helm test asks the doctor', async () => {
    const { metadata } = (await bench.render()).only('Pod');
    expect(metadata.annotations).toMatchObject({ 'helm.sh/hook': 'test' });
    expect((await bench.render()).podOf('Pod').containers[0]?.args[0]).toBe('doctor');
  });
});

describe('values', () => {
  test.each([
    [{ tag: 'x' }, "additional properties 'tag' not allowed"],
    [{ config: { topic: {} } }, "at '/config': additional properties 'topic' not allowed"],
    [
      { config: { kafka: { broker: 'a:1' } } },
      "at '/config/kafka': additional properties 'broker' not allowed",
    ],
    [{ config: { local: { dir: '/x' } } }, "at '/config/local': additional properties 'dir' not allowed"],
    [{ config: { kafka: { sasl: { password: 'x' } } } }, "additional properties 'password' not allowed"],
    [{ config: { kafka: null } }, "at '/config': missing property 'kafka'"],
    [{ target: null }, "missing property 'target'"],
    [{ image: { repository: null } }, "at '/image': missing property 'repository'"],
    [{ key: { secret: '' } }, "at '/key/secret'"],
    [{ target: { kind: 'nfs' } }, "at '/target/nfs/server': minLength"],
    [{ target: { kind: 'existingClaim' } }, "at '/target/existingClaim': minLength"],
    [{ target: { kind: 'hostPath' } }, "at '/target/kind': value must be one of"],
    [{ target: { folder: '../x' } }, "at '/target/folder'"],
    [{ user: { id: 0 } }, "at '/user/id': minimum"],
    [{ restore: { job: { enabled: true } } }, "at '/restore/job/args': minItems"],
    [{ extraEnv: [{ name: 'VARVE_KAFKA_SASL_PASSWORD', value: 'x' }] }, "at '/extraEnv/0/name'"],
    [{ extraEnv: [{ name: 'VARVE_OBSERVE_PORT', value: '1' }] }, "at '/extraEnv/0/name'"],
    [{ target: { existingClaim: 'My_Disk' } }, "at '/target/existingClaim'"],
    [{ resources: { limits: { memory: { max: '1Gi' } } } }, "at '/resources/limits/memory'"],
    [
      {
        secretFiles: [{ name: 'ca', secret: 'here' }],
        restore: {
          job: { enabled: true, args: ['--all-topics'], secretFiles: [{ name: 'ca', secret: 'there' }] },
        },
      },
      'secretFiles: expected a name of its own for each, those of restore.job too, got ca twice',
    ],
    [{ replicas: 2 }, "additional properties 'replicas' not allowed"],
  ])('%j is refused, by name', async (values, message) => {
    await expect(bench.render(values)).rejects.toThrow(message);
  });

  test('those that the documents show are taken', async () => {
    const pages = await Promise.all(['chart/README.md', 'docs/migration.md'].map(textOf));
    const shown = pages.flatMap((page) => [...page.matchAll(/^```yaml\n([\s\S]*?)^```/gm)]);
    expect(shown).toHaveLength(3);
    for (const [, values = ''] of shown) await expect(bench.render(parse(values))).resolves.toBeDefined();
  });

  test('a chart that has this one below it may hand its globals down', async () => {
    await expect(bench.render({ global: { region: 'eu' } })).resolves.toBeDefined();
  });
});

describe('the notes', () => {
  test('tell of the key, the target and how to restore, in commands that the program takes', async () => {
    const notes = await bench.notes();
    expect(notes).toContain('create secret generic varve-key -n backup --from-file=key=varve.key');
    expect(notes).toContain('restore --topic orders --from-time 2026-11-01T00:00Z');
    const commands = [...notes.matchAll(/kubectl exec (?:-it )?-n backup varve-0 -- (.+)$/gm)].map(
      ([, line = '']) => line,
    );
    expect(commands).toHaveLength(3);
    for (const line of commands) {
      const [name = '', ...words] = line.replace(/^varve /, '').split(' ');
      const row = commandRows.find((one) => one.name === name);
      if (row === undefined) throw new Error(`no command: ${line}`);
      await parseArgs(words, await row.load());
    }
    expect(await bench.notes(targets.NFS)).toContain(
      'nfs.example:/export/varve has to belong to uid 2000000',
    );
  });
});
