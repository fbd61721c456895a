import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { VarveError, messageOf } from '../errors.ts';
import { metricsText, type DaemonFacts } from '../observe/observe.ts';

export interface HttpServer extends AsyncDisposable {
  readonly port: number;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * `/livez`: the event loop turns, and nothing else is asked. `/readyz`: Kafka and the local disk, as the sink knows them;
 * never the target, which may hang without anything being wrong with this pod. `/metrics`: all of it.
 */
export async function serveHttp(o: {
  host: string;
  port: number;
  facts: () => Promise<DaemonFacts>;
}): Promise<HttpServer> {
  const server = createServer((request, response) => {
    answerTo(request, o.facts)
      .catch((error: unknown): Answer => ({ status: 500, body: `${messageOf(error)}\n` }))
      .then(
        (answer) => send(response, answer),
        () => response.destroy(),
      );
  });
  await listen(server, o);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : o.port,
    async [Symbol.asyncDispose]() {
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (cause) {
    throw new VarveError(
      'config',
      `observe.port ${port} on ${host} cannot be listened on: ${messageOf(cause)}`,
      {
        hint: 'choose another observe.port, or stop what uses this one',
        cause,
      },
    );
  }
}

async function answerTo(request: IncomingMessage, facts: () => Promise<DaemonFacts>): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405, body: 'only GET\n' };
  switch (request.url?.split('?')[0]) {
    case '/livez':
      return { status: 200, body: 'ok\n' };
    case '/readyz':
      return readiness(await facts());
    case '/metrics':
      return { status: 200, body: await metricsText(await facts()), type: metricsType };
    default:
      return { status: 404, body: 'there are /livez, /readyz and /metrics\n' };
  }
}

function readiness({ sink, trouble }: DaemonFacts): Answer {
  const reasons = [...(sink === undefined ? ['still starting'] : []), ...trouble.kafka, ...trouble.disk];
  if (reasons.length === 0) return { status: 200, body: 'ready\n' };
  return { status: 503, body: reasons.map((reason) => `${reason}\n`).join('') };
}

function send(response: ServerResponse, { status, body, type }: Answer): void {
  response.writeHead(status, {
    'content-type': type ?? 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body); // node:http leaves it out of an answer to HEAD
}
