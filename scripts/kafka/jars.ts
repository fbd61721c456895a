/**
 * Kafka's jars and our compiled Java sources, each made once into the git-ignored cache of the project folder.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { madeOnce } from '../tools/made-once.ts';
import { mustRun } from './command.ts';

export type Jars = {
  /** Kafka, its tools and our own classes, for `java -cp`: jars only, since what JVMs share holds no folder's classes. */
  readonly classPath: string;
  /** Where what is made from exactly these jars has its place. */
  readonly folder: string;
};

const pom = fileURLToPath(new URL('pom.xml', import.meta.url));
const sourceFolder = fileURLToPath(new URL('java', import.meta.url));
const ownJar = 'varve.jar';
const cacheFolder = fileURLToPath(new URL('../../.cache/kafka', import.meta.url));

export async function prepareJars(version: string): Promise<Jars> {
  const folder = join(cacheFolder, version);
  await mkdir(folder, { recursive: true });
  const home = await unpackedKafka();
  const libs =
    home?.version === version
      ? home.libs
      : await madeOnce(join(folder, 'libs'), (target) => fetchLibs(version, target));
  const sources = await javaSources();
  const digest = createHash('sha256').update(`${libs}\0${sources.text}`).digest('hex').slice(0, 16);
  const ours = await madeOnce(join(folder, `ours-${digest}`), (target) =>
    compile(sources.files, { libs, target }),
  );
  return { classPath: `${join(ours, ownJar)}:${libs}/*`, folder: ours };
}

/** The Kafka that KAFKA_HOME names, as it comes from Kafka's download page. */
export async function unpackedKafka(): Promise<{ version: string; libs: string } | undefined> {
  const home = process.env['KAFKA_HOME'];
  if (home === undefined || home === '') return undefined;
  const libs = join(home, 'libs');
  const names = await readdir(libs).catch(() => []);
  const version = names.flatMap((name) => /^kafka-clients-(\d.*)\.jar$/.exec(name)?.[1] ?? [])[0];
  if (version === undefined)
    throw new Error(
      `KAFKA_HOME is ${home}: expected the folder of an unpacked Kafka, with libs/kafka-clients-*.jar`,
    );
  return { version, libs };
}

/** Whether it can be had without Maven. */
export async function jarsAreAtHand(version: string): Promise<boolean> {
  return (await unpackedKafka())?.version === version || existsSync(join(cacheFolder, version, 'libs'));
}

async function fetchLibs(version: string, target: string): Promise<void> {
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime'];
  const values = [`-Dkafka.version=${version}`, `-DoutputDirectory=${target}`];
  await mustRun('mvn', ['-q', '-B', '-f', pom, ...goal, ...values], {
    neededFor: `fetch Kafka ${version} (Maven and a Java 17 JDK, once)`,
  });
}

async function compile(files: readonly string[], at: { libs: string; target: string }): Promise<void> {
  const classes = join(at.target, 'classes');
  const options = ['--release', '17', '-nowarn', '-proc:none', '-cp', `${at.libs}/*`, '-d', classes];
  const neededFor = 'compile scripts/kafka/java (a Java 17 JDK)';
  await mustRun('javac', [...options, ...files], { neededFor });
  await mustRun('jar', ['--create', '--file', join(at.target, ownJar), '-C', classes, '.'], { neededFor });
}

async function javaSources(): Promise<{ files: string[]; text: string }> {
  const names = (await readdir(sourceFolder)).filter((name) => name.endsWith('.java')).toSorted();
  const files = names.map((name) => join(sourceFolder, name));
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return { files, text: texts.join('\0') };
}
