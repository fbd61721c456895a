import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configKeys } from '../../src/config/config.ts';

/**
 * Writes what the chart has from elsewhere, since a chart cannot read outside of its own folder: the keys of the
 * configuration in chart/values.schema.json, and copies of what Prometheus and Grafana load.
 */
const root = new URL('../../', import.meta.url);
const schemaPath = 'chart/values.schema.json';
const copies = [
  ['config/alerts.yaml', 'chart/files/alerts.yaml'],
  ['config/dashboard.json', 'chart/files/dashboard.json'],
] as const;

/** Each path with the text it should have. */
export async function chartFiles(): Promise<Map<string, string>> {
  const schema = JSON.parse(read(schemaPath));
  schema.definitions.config = await configSchema();
  return new Map([
    [schemaPath, `${JSON.stringify(schema, null, 2)}\n`],
    ...copies.map(([from, to]) => [to, read(from)] as const),
  ]);
}

/** The chart mounts these, so it says where they are. */
const setByChart = new Set([
  'local.dir',
  'repository.dir',
  'repository.keyFile',
  'repository.passphraseFile',
  'observe.host',
  'observe.port',
]);

interface Section {
  readonly type: 'object';
  additionalProperties: Section | false;
  readonly properties: Record<string, Section | Leaf>;
}

interface Leaf {
  readonly description: string;
  readonly type: readonly string[];
}

/** Which keys there are; what may stand in them is judged by `varve config validate`. */
async function configSchema(): Promise<Section> {
  const top = section();
  for (const { path, info } of await configKeys()) {
    if (setByChart.has(path) || info.secret === true || info.environmentOnly === true) continue;
    const names = path.split('.');
    const last = names.pop() ?? '';
    const at = names.reduce(within, top);
    at.properties[last] = { description: info.summary, type: ['string', 'number', 'boolean', 'array'] };
  }
  return top;
}

function section(): Section {
  return { type: 'object', additionalProperties: false, properties: {} };
}

/** A name of the operator's own may be any. */
function within(at: Section, name: string): Section {
  if (name === '(name)') return (at.additionalProperties ||= section());
  const known = at.properties[name];
  if (known !== undefined && 'properties' in known) return known;
  const made = section();
  at.properties[name] = made;
  return made;
}

function read(path: string): string {
  return readFileSync(new URL(path, root), 'utf8');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of await chartFiles()) writeFileSync(new URL(path, root), text);
}
