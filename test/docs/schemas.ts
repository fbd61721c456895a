/** The schemas in docs/schema, and whether a document is what one of them says. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface Schema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

export const schemas = new Map<string, Schema>(
  readdirSync('docs/schema').map((file) => [
    basename(file, '.json'),
    JSON.parse(readFileSync(join('docs/schema', file), 'utf8')),
  ]),
);

/** As much of JSON Schema as these use. */
export function problemsOf(value: unknown, schema: Schema, at: string): string[] {
  const { type, required = [], properties = {}, items, anyOf } = schema;
  if ('const' in schema && value !== schema.const) return [`${at}: expected ${String(schema.const)}`];
  if (schema.enum?.includes(value) === false) return [`${at}: expected one of ${schema.enum.join(', ')}`];
  if (type !== undefined && ![type].flat().some((name) => isOf(value, name)))
    return [`${at}: expected ${[type].flat().join(' or ')}, got ${JSON.stringify(value)}`];
  const ways = anyOf?.map((way) => problemsOf(value, way, at));
  const inside = Array.isArray(value)
    ? value.flatMap((item, index) =>
        items === undefined ? [] : problemsOf(item, items, `${at}[${String(index)}]`),
      )
    : Object.entries(typeof value === 'object' && value !== null ? value : {}).flatMap(([name, inner]) =>
        properties[name] === undefined ? [] : problemsOf(inner, properties[name], `${at}.${name}`),
      );
  const missing =
    typeof value === 'object' && value !== null ? required.filter((name) => !Object.hasOwn(value, name)) : [];
  return [
    ...missing.map((name) => `${at}.${name} is missing`),
    ...inside,
    ...(ways === undefined || ways.some((problems) => problems.length === 0) ? [] : ways.flat()),
  ];
}

function isOf(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}

/** What a document has that its schema does not name. */
export function unnamedIn(value: unknown, { properties, items, anyOf }: Schema, at: string): string[] {
  if (Array.isArray(value))
    return items === undefined ? [] : value.flatMap((item) => unnamedIn(item, items, `${at}[]`));
  if (typeof value !== 'object' || value === null) return [];
  if (anyOf !== undefined)
    return anyOf.flatMap((way) => (way.properties === undefined ? [] : unnamedIn(value, way, at)));
  if (properties === undefined) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const schema = properties[name];
    return schema === undefined ? [`${at}.${name}`] : unnamedIn(inner, schema, `${at}.${name}`);
  });
}
