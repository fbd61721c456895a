import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { metricsText } from '../../src/observe/observe.ts';
import { facts } from '../observe/given.ts';
import { judged } from './promtool.ts';

const root = new URL('../../', import.meta.url);
const textOf = async (path: string): Promise<string> => readFile(fileURLToPath(new URL(path, root)), 'utf8');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}

async function rules(): Promise<Rule[]> {
  const document: { groups: { rules: Rule[] }[] } = parse(await textOf('config/alerts.yaml'));
  return document.groups.flatMap((group) => group.rules);
}

test('every alert names metrics that exist, closes its brackets, and says how grave it is', async () => {
  const documented = await textOf('docs/metrics.md');
  const known = new Set([...documented.matchAll(/`(varve_[a-z_]+)/g)].map((match) => match[1]));
  const found = await rules();
  expect(found.length).toBeGreaterThan(10);
  expect(new Set(found.map(({ alert }) => alert)).size).toBe(found.length);
  for (const { alert, expr, labels, annotations } of found) {
    const names = [...expr.matchAll(/varve_[a-z_]+/g)].map((match) => match[0]);
    expect(names.length, alert).toBeGreaterThan(0);
    for (const name of names) expect(known.has(name), `${alert}: ${name}`).toBe(true);
    expect(expr.split('(').length, alert).toBe(expr.split(')').length);
    expect(['warning', 'critical'], alert).toContain(labels.severity);
    expect(annotations.summary, alert).toMatch(/^[A-Z].*\.$/);
  }
});

test('every alert leads to a page and a heading that are there', async () => {
  for (const { alert, annotations } of await rules()) {
    const [path = '', anchor] = annotations.runbook_url.split('#');
    const page = await textOf(path);
    const headings = [...page.matchAll(/^#+ (.+)$/gm)].map((match) =>
      (match[1] ?? '')
        .toLowerCase()
        .replaceAll(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    );
    if (anchor !== undefined) expect(headings, `${alert}: ${annotations.runbook_url}`).toContain(anchor);
  }
});

test('docs/alerts.md says of every alert what to do, and of no other', async () => {
  const headings = [...(await textOf('docs/alerts.md')).matchAll(/^## (.+)$/gm)].map(([, name = '']) => name);
  expect(headings.toSorted()).toEqual((await rules()).map(({ alert }) => alert).toSorted());
});

test('Prometheus takes the rules, and each alert sounds when it should and not before', async () => {
  expect(await judged(['check', 'rules', fileURLToPath(new URL('config/alerts.yaml', root))])).toMatchObject({
    status: 0,
  });
  const tests = await judged(['test', 'rules', fileURLToPath(new URL('test/docs/alerts.test.yaml', root))]);
  expect(tests.status, tests.said).toBe(0);
});

test('Prometheus finds nothing to say against names, types and help of the metrics', async () => {
  const { status, said } = await judged(['check', 'metrics'], await metricsText(facts));
  expect(said).toBe('');
  expect(status).toBe(0);
});

const dashboardSchema = z.object({
  title: z.literal('Varve'),
  panels: z.array(
    z.object({
      id: z.number(),
      title: z.string().min(1),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number().min(1).max(24), h: z.number().min(1) }),
      targets: z.array(z.object({ expr: z.string() })).optional(),
    }),
  ),
  templating: z.object({ list: z.array(z.object({ name: z.string(), query: z.unknown() })) }),
});

test('the dashboard asks for metrics that exist with labels that they have, and no two panels lie on each other', async () => {
  const { panels, templating } = dashboardSchema.parse(JSON.parse(await textOf('config/dashboard.json')));
  const page = await textOf('docs/metrics.md');
  const labelsOf = new Map(
    [...page.matchAll(/^\| `(varve_[a-z_]+)(?:\{([a-z]+)\})?`/gm)].map(([, name = '', label]) => [
      name,
      label,
    ]),
  );
  const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  expect(queries.length).toBeGreaterThan(20);
  for (const query of [...queries, JSON.stringify(templating)]) {
    for (const [name] of query.matchAll(/varve_[a-z_]+/g))
      expect([...labelsOf.keys()], query).toContain(name);
    const [, by = ''] = /by \(([a-z]+)\)/.exec(query) ?? [];
    const [name = ''] = /varve_[a-z_]+/.exec(query) ?? [];
    if (by !== '') expect(labelsOf.get(name), query).toBe(by);
  }
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const taken = new Set<string>();
  for (const { title, gridPos } of panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(x < 24 && !taken.has(`${x},${y}`), `${title} at ${x},${y}`).toBe(true);
        taken.add(`${x},${y}`);
      }
    }
  }
});

test('Prometheus can read each query of the dashboard', async () => {
  const { panels } = dashboardSchema.parse(JSON.parse(await textOf('config/dashboard.json')));
  const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  const recorded = queries.map((expr, index) => ({
    record: `dashboard:${index}`,
    expr: expr.replaceAll('$__rate_interval', '5m'),
  }));
  const folder = await mkdtemp(join(tmpdir(), 'varve-dashboard-'));
  try {
    const path = join(folder, 'rules.yaml');
    await writeFile(path, JSON.stringify({ groups: [{ name: 'dashboard', rules: recorded }] })); // JSON is YAML
    const { status, said } = await judged(['check', 'rules', path]);
    expect(status, said).toBe(0);
  } finally {
    await rm(folder, { recursive: true });
  }
});
