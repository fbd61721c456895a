import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { readTree, textOf } from '../tidy/tree.ts';

const tree = readTree();
const image = textOf(tree, 'Dockerfile');

test('the image is labelled with the version, the licence and the words of the package', () => {
  const labels = Object.fromEntries(
    [...image.matchAll(/org\.opencontainers\.image\.(\w+)="([^"]*)"/g)].map(([, name = '', value]) => [
      name,
      value,
    ]),
  );
  const { version, description, license: licenses } = manifest;
  expect(labels).toEqual({ title: 'Varve', description, licenses, version });
});

test('what the image copies is there, and its node is the one that the tests run on', () => {
  const kept = textOf(tree, '.dockerignore').matchAll(/^!(.*?)\/?$/gm);
  const paths = [...tree.keys(), 'package-lock.json'];
  for (const [, name = ''] of kept)
    expect(
      paths.some((path) => path === name || path.startsWith(`${name}/`)),
      name,
    ).toBe(true);
  const bases = [...image.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
  const [major] = manifest.devDependencies.node.split('.');
  expect(bases).toEqual([`node:${major}-bookworm-slim`, `node:${major}-bookworm-slim`]);
});
