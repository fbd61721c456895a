import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

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
