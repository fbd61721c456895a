import { createSecureContext, type ConnectionOptions } from 'node:tls';
import { messageOf, VarveError } from '../errors.ts';
import type { KafkaPorts, KafkaSettings, SaslSettings, TlsSettings } from './settings.ts';
import type { ClientSasl } from './client.ts';

export interface Credentials {
  readonly tls: ConnectionOptions | undefined;
  readonly sasl: ClientSasl | undefined;
}

/** Reads certificates and passwords anew, so that a rotated secret is taken up by the next connection. */
export async function readCredentials(
  settings: KafkaSettings,
  ports: Pick<KafkaPorts, 'readFile'>,
): Promise<Credentials> {
  const [tls, sasl] = await Promise.all([
    settings.ssl === undefined ? undefined : readTls(settings.ssl, ports),
    settings.sasl === undefined ? undefined : readSasl(settings.sasl, ports),
  ]);
  return { tls, sasl };
}

async function readTls(ssl: TlsSettings, ports: Pick<KafkaPorts, 'readFile'>): Promise<ConnectionOptions> {
  const [ca, cert, key] = await Promise.all([
    readSecret('kafka.ssl.caFile', ssl.caFile, ports),
    readSecret('kafka.ssl.certFile', ssl.certFile, ports),
    readSecret('kafka.ssl.keyFile', ssl.keyFile, ports),
  ]);
  const files = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  let secureContext;
  try {
    secureContext = createSecureContext(files);
  } catch (error) {
    throw unusable(
      `kafka.ssl: the certificate files cannot be used: ${messageOf(error)}`,
      'Check that they are PEM files and that key and certificate belong together.',
      error,
    );
  }
  return { secureContext, ...(ssl.serverName !== undefined && { servername: ssl.serverName }) };
}

async function readSasl(sasl: SaslSettings, ports: Pick<KafkaPorts, 'readFile'>): Promise<ClientSasl> {
  const { mechanism } = sasl;
  if (mechanism === 'OAUTHBEARER') {
    const value = await sasl.tokens.get();
    return { mechanism, oauthBearerProvider: async () => ({ value }) };
  }
  const file = await readSecret('kafka.sasl.passwordFile', sasl.passwordFile, ports);
  const password = file?.toString('utf8').replace(/\r?\n$/, '') ?? sasl.password;
  if (password === undefined || password === '') {
    throw unusable('kafka.sasl: expected a password, got none', 'Set kafka.sasl.passwordFile.');
  }
  return { mechanism, username: sasl.username, password };
}

async function readSecret(
  key: string,
  path: string | undefined,
  ports: Pick<KafkaPorts, 'readFile'>,
): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return await ports.readFile(path);
  } catch (error) {
    throw unusable(
      `${key}: ${path} cannot be read: ${messageOf(error)}`,
      `Check the file that ${key} names.`,
      error,
    );
  }
}

/** Retryable, because a secret that is being rotated may be whole again a moment later. */
function unusable(message: string, hint: string, cause?: unknown): VarveError {
  return new VarveError('config', message, { hint, cause, retryable: true });
}
