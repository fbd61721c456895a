import { expect, test } from 'vitest';
import { apis, asked, clusterOf, fakeBroker } from './fake-broker.ts';
import { apiVersionsAnswer, frame, int32, type Peer } from './given.ts';

const api = { apiVersions: 18, describeGroups: 15, describeConsumerGroups: 69 };
const head = '00 00000000 02';
const dead = `${head} 0000 0267 0544656164 01 01 01 80000000 00 00`;
const unsupported = `${head} 0023 00 0267 01 00000000 00000000 01 01 80000000 00 00`;
const coordinatorIs = (peer: Peer): [string, Buffer, string] => [
  `${head} 0267 00000001 0a 3132372e302e302e31`,
  int32(peer.port),
  '0000 00 00 00',
];

test('where the new protocol is not switched on (Kafka 3.9), a group that is dead is dead', async () => {
  await using peer = await fakeBroker({
    [api.apiVersions]: (id) => apiVersionsAnswer(id.readInt32BE(0), { 15: 5, 69: 0 }),
    [apis.findCoordinator]: (id, self) => frame(id, ...coordinatorIs(self)),
    [api.describeGroups]: (id) => frame(id, dead),
    [api.describeConsumerGroups]: (id) => frame(id, unsupported),
  });
  await using cluster = await clusterOf(peer);

  expect(await cluster.groupStates(['g'])).toEqual([
    { group: 'g', errorCode: 0, state: 'Dead', members: [] },
  ]);
  expect(asked(peer, api.describeConsumerGroups)).toBe(1);
});
