import { expect, test } from 'vitest';
import { demoEnd } from './demo.ts';

test('the demo says in one line what the machine lacks', async () => {
  const bare = await demoEnd({ env: { PATH: '/nowhere' } });
  expect(bare.status).toBe(1);
  expect(bare.said).toMatch(/^demo: missing on the PATH: a Java 17 JDK .*apt-get install .*\n$/);
  const home = await demoEnd({ env: { KAFKA_HOME: '/nowhere' } });
  expect(home.said).toMatch(/^demo: KAFKA_HOME is \/nowhere: expected .*\n$/);
  expect((await demoEnd({ words: ['--borkers', 'a:1'] })).said).toMatch(
    /^demo: Unknown option '--borkers'.*\n$/,
  );
});
