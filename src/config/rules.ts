import type { Problem } from './problem.ts';
import { isNeverTopic } from './topics.ts';
import { isSection, type Tree } from './tree.ts';
import type { Need } from './types.ts';

/** What must hold between keys. Judged on what was given, so that one bad value hides no other problem. */
export function crossProblems(tree: Tree, needs: readonly Need[]): Problem[] {
  const targets = tree.get(['targets']);
  const names = isSection(targets) ? Object.keys(targets) : [];
  return [
    ...needs.flatMap((need) => needProblems(tree, need)),
    ...keyProblems(tree),
    ...clusterProblems(tree, ['kafka']),
    ...names.flatMap((name) => targetProblems(tree, ['targets', name])),
    ...topicProblems(tree),
  ];
}

function needProblems(tree: Tree, need: Need): Problem[] {
  if (need !== 'repository') return tree.has(need) ? [] : [missing(need)];
  const keyed = tree.has('repository.keyFile') || tree.has('repository.passphraseFile');
  return [
    ...(tree.has('repository.dir') ? [] : [missing('repository.dir')]),
    ...(keyed ? [] : [missing('repository.keyFile', ' (or repository.passphraseFile)')]),
  ];
}

function keyProblems(tree: Tree): Problem[] {
  return tree.has('repository.keyFile') && tree.has('repository.passphraseFile')
    ? [both(tree, ['repository', 'keyFile'], 'repository.passphraseFile')]
    : [];
}

function targetProblems(tree: Tree, at: readonly string[]): Problem[] {
  const brokers = tree.get([...at, 'brokers']) === undefined ? [missing([...at, 'brokers'].join('.'))] : [];
  return [...brokers, ...clusterProblems(tree, at)];
}

function clusterProblems(tree: Tree, at: readonly string[]): Problem[] {
  return [...sslProblems(tree, [...at, 'ssl']), ...saslProblems(tree, [...at, 'sasl'])];
}

function sslProblems(tree: Tree, at: readonly string[]): Problem[] {
  const path = at.join('.');
  const given = (name: string) => tree.get([...at, name]) !== undefined;
  const problems: Problem[] = [];
  const enabled = tree.get([...at, 'enabled']) ?? false;
  const first = ['caFile', 'certFile', 'keyFile', 'serverName'].find(given);
  if ((enabled === false || enabled === 'false') && first !== undefined) {
    const origin = tree.originOf([...at, first]);
    problems.push({
      path: `${path}.${first}`,
      text: `expected ${path}.enabled to be true beside it`,
      origin,
    });
  }
  for (const [one, other] of [
    ['certFile', 'keyFile'],
    ['keyFile', 'certFile'],
  ] as const) {
    if (given(one) && !given(other)) {
      problems.push({
        path: `${path}.${one}`,
        text: `needs ${path}.${other} beside it`,
        origin: tree.originOf([...at, one]),
      });
    }
  }
  return problems;
}

function saslProblems(tree: Tree, at: readonly string[]): Problem[] {
  const path = at.join('.');
  const given = (name: string) => tree.get([...at, ...name.split('.')]) !== undefined;
  const mechanism = tree.get([...at, 'mechanism']);
  if (typeof mechanism !== 'string') {
    const section = tree.get(at);
    const first = isSection(section) ? Object.keys(section)[0] : undefined;
    if (first === undefined || mechanism !== undefined) return [];
    return [
      {
        path: `${path}.mechanism`,
        text: `required beside ${path}.${first}, but not set`,
        origin: tree.originOf([...at, first]),
      },
    ];
  }
  const problems: Problem[] = [];
  const origin = tree.originOf([...at, 'mechanism']);
  const needs = (names: readonly string[]) => {
    const chosen = names.filter(given);
    const all = names.map((name) => `${path}.${name}`).join(' or ');
    if (chosen.length === 0)
      problems.push({ path: `${path}.mechanism`, text: `needs ${all} beside it`, origin });
    const [one = '', other] = chosen;
    if (other !== undefined) problems.push(both(tree, [...at, ...one.split('.')], `${path}.${other}`));
  };
  if (mechanism.toUpperCase() === 'OAUTHBEARER') {
    needs(['tokenCommand', 'oauth.tokenEndpoint']);
    if (given('oauth.tokenEndpoint')) {
      needs(['oauth.clientId']);
      needs(['oauth.clientSecretFile', 'oauth.clientSecret']);
    }
  } else {
    needs(['username']);
    needs(['passwordFile', 'password']);
  }
  return problems;
}

function topicProblems(tree: Tree): Problem[] {
  const include = tree.get(['topics', 'include']);
  const names =
    typeof include === 'string' ? include.split(',') : Array.isArray(include) ? include.map(String) : [];
  return names
    .map((name) => name.trim())
    .filter(isNeverTopic)
    .map((name) => ({
      path: 'topics.include',
      text: `${name} holds a cluster's own state and is never backed up`,
      origin: tree.originOf(['topics', 'include']),
    }));
}

function missing(path: string, more = ''): Problem {
  return { path, text: `required${more}, but not set` };
}

function both(tree: Tree, path: readonly string[], other: string): Problem {
  return {
    path: path.join('.'),
    text: `expected only one of it and ${other}, got both`,
    origin: tree.originOf(path),
  };
}
