import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { z } from 'zod';
import { prepareHelm, type Helm } from '../../scripts/tools/helm.ts';
import { checkout } from '../tidy/tree.ts';

const mount = z.looseObject({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() });
const probe = z.looseObject({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()),
  env: z.array(z.looseObject({ name: z.string() })).optional(),
  securityContext: z.looseObject({}),
  resources: z.looseObject({}),
  volumeMounts: z.array(mount),
  startupProbe: probe.optional(),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
});
const pod = z.looseObject({
  securityContext: z.looseObject({}),
  initContainers: z.array(container).optional(),
  containers: z.array(container),
  volumes: z.array(z.looseObject({ name: z.string() })),
});

export type Container = z.infer<typeof container>;
export type Pod = z.infer<typeof pod>;

const resource = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), annotations: z.record(z.string(), z.string()).optional() }),
  spec: z.looseObject({}).optional(),
  data: z.record(z.string(), z.string()).optional(),
});

export type Resource = z.infer<typeof resource>;

/** What a chart becomes with some values. */
export class Rendered {
  readonly text: string;
  readonly resources: readonly Resource[];

  constructor(text: string) {
    this.text = text;
    this.resources = parseAllDocuments(text).map((document) => resource.parse(document.toJS()));
  }

  only(kind: string): Resource {
    const found = this.resources.filter((one) => one.kind === kind);
    if (found[0] === undefined || found.length > 1)
      throw new Error(`expected one ${kind}, got ${found.length}`);
    return found[0];
  }

  named(name: string): Resource {
    const found = this.resources.find(({ metadata }) => metadata.name === name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  }

  /** Every pod, whatever makes it, with the name of what makes it. */
  get pods(): { readonly from: string; readonly pod: Pod }[] {
    return this.resources.flatMap((one) => {
      const spec = podIn(one);
      return spec === undefined ? [] : [{ from: `${one.kind} ${one.metadata.name}`, pod: pod.parse(spec) }];
    });
  }

  podOf(kind: string, end = ''): Pod {
    const found = this.pods.find(({ from }) => from.startsWith(`${kind} `) && from.endsWith(end));
    if (found === undefined) throw new Error(`there is no pod of a ${kind} ${end}`);
    return found.pod;
  }

  /** The configuration file that a pod gets to see. */
  configOf({ volumes }: Pod): string {
    const { configMap } = z.object({ configMap: z.object({ name: z.string() }) }).parse(volumes[0]);
    const found = this.resources.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMap.name,
    );
    return found?.data?.['varve.yaml'] ?? '';
  }
}

const template = z.object({ template: z.object({ spec: z.unknown() }) });
const cron = z.object({ jobTemplate: z.object({ spec: template }) });

function podIn({ kind, spec }: Resource): unknown {
  if (kind === 'Pod') return spec;
  if (kind === 'CronJob') return cron.parse(spec).jobTemplate.spec.template.spec;
  return kind === 'StatefulSet' || kind === 'Job' ? template.parse(spec).template.spec : undefined;
}

const chartFolder = join(checkout, 'chart');

/** Helm, with a folder of its own that is gone afterwards. */
export class Bench implements AsyncDisposable {
  readonly helm: Helm;
  readonly folder: string;
  #files = 0;

  private constructor(helm: Helm, folder: string) {
    this.helm = helm;
    this.folder = folder;
  }

  static async open(): Promise<Bench> {
    const helm = await prepareHelm();
    return new Bench(helm, await mkdtemp(join(tmpdir(), 'varve-chart-')));
  }

  async render(values: object = {}, o: { release?: string; chart?: string } = {}): Promise<Rendered> {
    const { release = 'varve', chart = chartFolder } = o;
    const file = await this.write(stringify(values));
    const { status, stdout, stderr } = await this.helm.run([
      'template',
      release,
      chart,
      '-n',
      'backup',
      '-f',
      file,
    ]);
    if (status !== 0) throw new Error(stderr);
    return new Rendered(stdout);
  }

  /** What is said after an installation. Helm itself shows it only to who has a cluster. */
  async notes(values: object = {}): Promise<string> {
    const copy = join(this.folder, `notes-${this.#files++}`);
    await cp(chartFolder, copy, { recursive: true });
    const path = (name: string): string => join(copy, 'templates', name);
    await rename(path('NOTES.txt'), path('_notes.tpl'));
    const text = await readFile(path('_notes.tpl'), 'utf8');
    await writeFile(path('_notes.tpl'), `{{- define "notes" -}}\n${text}{{- end -}}\n`);
    const notes = '{{ include "notes" . | toJson }}';
    await writeFile(path('notes.yaml'), `kind: Notes\nmetadata: {name: notes}\ndata: {text: ${notes}}\n`);
    return (await this.render(values, { chart: copy })).only('Notes').data?.['text'] ?? '';
  }

  async write(text: string): Promise<string> {
    const path = join(this.folder, `${this.#files++}.yaml`);
    await writeFile(path, text);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
