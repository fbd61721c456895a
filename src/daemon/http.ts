import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { VarveError, messageOf } from '../errors.ts';
import { metricsText, type DaemonFacts } from '../observe/observe.ts';
import {
  askedOf,
  contentSecurityPolicy,
  documentsOf,
  jsonText,
  pageText,
  type Asked,
  type Documents,
  type PageFacts,
} from '../page/page.ts';

export interface HttpServer extends AsyncDisposable {
  readonly port: number;
}

export interface HttpOptions {
  readonly host: string;
  readonly port: number;
  readonly facts: () => Promise<DaemonFacts>;
  /** Undefined where `observe.page` is false: then `/` and `/api` are not there. */
  readonly page?: (() => Promise<PageFacts>) | undefined;
}

const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

/** On every answer: nothing is kept, nothing is guessed, and no other site may put it to use. */
const headers = {
  'cache-control': 'no-store',
  'content-security-policy': contentSecurityPolicy,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/**
 * `/livez`: the event loop turns, and nothing else is asked. `/readyz`: Kafka and the local disk, as the sink knows them;
 * never the target, which may hang without anything being wrong with this pod. `/metrics`: all of it. `/` and
 * `/api/v1`: the same for people. All of it is read only, and no header of a request is believed.
 */
export async function serveHttp(o: HttpOptions): Promise<HttpServer> {
  const server = fastify({ logger: false, forceCloseConnections: true, trustProxy: false });
  server.addHook('onRequest', async (request, reply) => {
    void reply.headers(headers);
    if (request.method === 'GET' || request.method === 'HEAD') return;
    await reply.code(405).header('allow', 'GET, HEAD').type('text/plain').send('only GET\n');
  });
  server.setErrorHandler(async (error, _request, reply) => {
    const { statusCode } = error instanceof Error && 'statusCode' in error ? error : { statusCode: 500 };
    const status = typeof statusCode === 'number' ? statusCode : 500;
    return reply
      .code(status)
      .type('text/plain')
      .send(`${messageOf(error)}\n`);
  });
  server.setNotFoundHandler(async (_request, reply) => reply.code(404).type('text/plain').send(pathsText(o)));
  serveHealth(server, o.facts);
  if (o.page !== undefined) servePage(server, { host: o.host, page: o.page });
  await listen(server, o);
  const address = server.server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : o.port,
    [Symbol.asyncDispose]: async () => server.close(),
  };
}

async function listen(server: FastifyInstance, { host, port }: HttpOptions): Promise<void> {
  try {
    await server.listen({ host, port });
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

function pathsText({ page }: HttpOptions): string {
  const more = page === undefined ? [] : ['/', ...apiNames.map((name) => `/api/v1/${name}`)];
  return `there are ${[...more, '/livez', '/readyz', '/metrics'].join(', ')}\n`;
}

function serveHealth(server: FastifyInstance, facts: () => Promise<DaemonFacts>): void {
  server.get('/livez', async (_request, reply) => reply.type('text/plain').send('ok\n'));
  server.get('/readyz', async (_request, reply) => {
    const { sink, trouble } = await facts();
    const reasons = [...(sink === undefined ? ['still starting'] : []), ...trouble.kafka, ...trouble.disk];
    const body = reasons.length === 0 ? 'ready\n' : reasons.map((reason) => `${reason}\n`).join('');
    return reply
      .code(reasons.length === 0 ? 200 : 503)
      .type('text/plain')
      .send(body);
  });
  server.get('/metrics', async (_request, reply) =>
    reply.header('content-type', metricsType).send(await metricsText(await facts())),
  );
}

const apiNames = ['status', 'topics', 'snapshots', 'cycles'] as const;

function servePage(
  server: FastifyInstance,
  { host, page }: { host: string; page: () => Promise<PageFacts> },
): void {
  const guarded = {
    onRequest: async (...at: [FastifyRequest, FastifyReply]) => refuseOtherNames(host, ...at),
  };
  // The facts are kept for a moment, and so is what was made of them: many lookers cost as much as one.
  let kept: { readonly facts: PageFacts; readonly documents: Documents } | undefined;
  const documents = async (): Promise<Documents> => {
    const facts = await page();
    if (kept?.facts !== facts) kept = { facts, documents: documentsOf(facts) };
    return kept.documents;
  };
  server.get('/', guarded, async (request, reply) => {
    const known = await documents();
    return reply.type('text/html').send(pageText(known, askedIn(request)));
  });
  for (const name of apiNames) {
    server.get(`/api/v1/${name}`, guarded, async (request, reply) => {
      const known = await documents();
      const document = name === 'topics' ? known.topics(askedIn(request)) : known[name];
      return reply.type('application/json').send(jsonText(document));
    });
  }
}

function askedIn({ url }: FastifyRequest): Asked {
  return askedOf(new URLSearchParams(url.split('?')[1]));
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/;

/**
 * A server for this machine alone is asked by this machine's names: a site that has its own name point here could
 * otherwise have a browser read the page for it.
 */
async function refuseOtherNames(host: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (!loopback.test(host) || loopback.test((request.headers.host ?? '').replace(/:\d{1,5}$/, ''))) return;
  await reply
    .code(421)
    .type('text/plain')
    .send('this listens on 127.0.0.1: ask for it by that address, or by localhost\n');
}
