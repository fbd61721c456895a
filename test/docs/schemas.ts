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
export function unnamedIn(value: unknown, schema: Schema, at: string): string[] {
  const ways = (schema.anyOf ?? []).filter((way) => problemsOf(value, way, at).length === 0);
  const said = [schema, ...ways];
  if (Array.isArray(value)) {
    const items = said.find((one) => one.items !== undefined)?.items;
    return items === undefined ? [] : value.flatMap((item) => unnamedIn(item, items, `${at}[]`));
  }
  const named = said.flatMap(({ properties }) =>
    properties === undefined ? [] : Object.entries(properties),
  );
  if (typeof value !== 'object' || value === null || named.length === 0) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const its = named.find(([known]) => known === name)?.[1];
    return its === undefined ? [`${at}.${name}`] : unnamedIn(inner, its, `${at}.${name}`);
  });
}

/** What a command printed under --json: each line names its schema and is what that says, or is the error. */
export function problemsPrinted(stdout: string, at: string): string[] {
  const problems = stdout
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      const document: Readonly<Record<string, unknown>> = JSON.parse(line);
      if (Object.keys(document).join() === 'error') return [];
      const schema = schemas.get(/^varve\.(.*)\/\d+$/.exec(String(document['schema']))?.[1] ?? '');
      if (schema === undefined) return [`${at}: a line without a schema: ${line}`];
      const unnamed = unnamedIn(document, schema, at).map((name) => `${name} is not in the schema`);
      return [...problemsOf(document, schema, at), ...unnamed];
    });
  return [...new Set(problems)];
}
