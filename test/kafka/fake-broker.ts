import { connectCluster, type Cluster, type KafkaPorts } from '../../src/kafka/kafka.ts';
import { apiVersionsAnswer, frame, headerOf, int32, Peer, realPorts, settings } from './given.ts';

export const apis = {
  fetch: 1,
  metadata: 3,
  offsetCommit: 8,
  offsetFetch: 9,
  findCoordinator: 10,
  listGroups: 16,
  apiVersions: 18,
  deleteTopics: 20,
};

/** A broker of a cluster named c1, as far as a test says what it answers; `answers` get the request's number. */
export async function fakeBroker(
  answers: Record<number, (correlationId: Buffer, peer: Peer) => Buffer | 'hang up' | 'silence'> = {},
): Promise<Peer> {
  const peer: Peer = await Peer.start((request, socket) => {
    const { apiKey, correlationId } = headerOf(request);
    const known = answers[apiKey];
    if (known !== undefined) {
      const answer = known(int32(correlationId), peer);
      if (answer === 'hang up') socket.destroy();
      else if (answer !== 'silence') socket.write(answer);
    } else if (apiKey === apis.metadata) socket.write(metadataOf(int32(correlationId), [peer]));
    else socket.write(apiVersionsAnswer(correlationId));
  });
  return peer;
}

export function metadataOf(
  correlationId: Buffer,
  brokers: readonly { port: number }[],
  clusterId = 'c1',
  controllerId = -1,
): Buffer {
  const rows = brokers.map(({ port }, index) =>
    Buffer.concat([
      int32(index + 1),
      Buffer.from('\x0a127.0.0.1', 'latin1'),
      int32(port),
      Buffer.from('0000', 'hex'),
    ]),
  );
  return frame(
    correlationId,
    '00 00000000',
    Buffer.of(brokers.length + 1),
    ...rows,
    Buffer.of(clusterId.length + 1),
    Buffer.from(clusterId),
    int32(controllerId),
    '01 00',
  );
}

export function asked(peer: Peer, apiKey: number): number {
  return peer.received.filter((request) => headerOf(request).apiKey === apiKey).length;
}

export async function clusterOf(peer: Peer, ports: KafkaPorts = realPorts): Promise<Cluster> {
  return connectCluster({ settings: settings(peer.address), ports });
}
