/** Bearer tokens for OAUTHBEARER: printed by a command, or got with client credentials. Never shown, never kept on disk. */
import type { SaslConfig } from '../config/config.ts';
import { messageOf, VarveError } from '../errors.ts';
import { codeOf, type Host } from '../host/host.ts';
import type { TokenSource } from '../kafka/kafka.ts';
import { runCommand } from './token-command.ts';

const answerMaxMs = 10_000;
const answerBytesMax = 1024 * 1024;
/** A token is used for this part of its life: a connection that is made with it should get some of it. */
const usedPart = 0.8;

interface Token {
  readonly value: string;
  /** Undefined where nobody tells: then it is asked for again each time. */
  readonly lifeMs: number | undefined;
}

export function tokenSource(
  { tokenCommand, oauth }: SaslConfig,
  host: Pick<Host, 'clock' | 'disk'>,
): TokenSource {
  const read = async (): Promise<Token> => {
    if (tokenCommand !== undefined) return await printed(tokenCommand, host);
    if (oauth !== undefined) return await granted(oauth, host);
    throw unusable('expected kafka.sasl.tokenCommand or kafka.sasl.oauth.tokenEndpoint, got neither');
  };
  return new KeptToken(read, () => host.clock.nowMs());
}

/** Who asks while one is being got waits for the same one. */
class KeptToken implements TokenSource {
  readonly #read: () => Promise<Token>;
  readonly #nowMs: () => number;
  #kept: { readonly token: Promise<Token>; untilMs: number } | undefined;

  constructor(read: () => Promise<Token>, nowMs: () => number) {
    this.#read = read;
    this.#nowMs = nowMs;
  }

  async get(): Promise<string> {
    if (this.#kept !== undefined && this.#nowMs() < this.#kept.untilMs) return (await this.#kept.token).value;
    const beganMs = this.#nowMs();
    const kept = { token: this.#read(), untilMs: Infinity };
    this.#kept = kept;
    try {
      const { value, lifeMs = 0 } = await kept.token;
      kept.untilMs = beganMs + lifeMs * usedPart;
      return value;
    } catch (error) {
      if (this.#kept === kept) this.#kept = undefined;
      throw error;
    }
  }

  refused(): void {
    this.#kept = undefined;
  }
}

async function printed(command: string, { clock }: Pick<Host, 'clock'>): Promise<Token> {
  const { stdout, problem } = await runCommand(command, { clock, answerMaxMs, answerBytesMax });
  if (problem !== undefined) throw unusable(`kafka.sasl.tokenCommand ${problem}`);
  return { value: tokenIn(stdout.trim(), 'kafka.sasl.tokenCommand'), lifeMs: undefined };
}

/** OAuth 2.0, client credentials: RFC 6749, section 4.4. */
async function granted(
  { tokenEndpoint, clientId, clientSecretFile, clientSecret, scope }: NonNullable<SaslConfig['oauth']>,
  { clock, disk }: Pick<Host, 'clock' | 'disk'>,
): Promise<Token> {
  const secret = clientSecret?.reveal() ?? (await secretIn(disk, clientSecretFile ?? ''));
  const pair = [clientId, secret].map(encodeURIComponent).join(':');
  const late = new AbortController();
  const timer = clock.after(answerMaxMs, () => late.abort());
  try {
    const answer = await fetch(tokenEndpoint, {
      method: 'POST',
      headers: {
        accept: 'application/json',
        authorization: `Basic ${Buffer.from(pair).toString('base64')}`,
      },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope !== undefined && { scope }) }),
      redirect: 'error',
      signal: late.signal,
    });
    const document: unknown = await answer.json().catch(() => undefined);
    if (!answer.ok) {
      const why = [textIn(document, 'error'), textIn(document, 'error_description')]
        .filter(Boolean)
        .join(': ');
      throw unusable(
        `kafka.sasl.oauth.tokenEndpoint answered with status ${answer.status}${why && `: ${why}`}`,
      );
    }
    const value = tokenIn(textIn(document, 'access_token'), 'kafka.sasl.oauth.tokenEndpoint');
    const seconds = Number(fieldIn(document, 'expires_in'));
    return { value, lifeMs: seconds > 0 ? seconds * 1000 : undefined };
  } catch (error) {
    if (error instanceof VarveError) throw error;
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    const why = late.signal.aborted
      ? `no answer within ${answerMaxMs / 1000} s`
      : (codeOf(cause) ?? messageOf(cause));
    throw unusable(`kafka.sasl.oauth.tokenEndpoint gave no token: ${why}`);
  } finally {
    timer.cancel();
  }
}

async function secretIn(disk: Host['disk'], path: string): Promise<string> {
  const bytes = await disk.readFile(path);
  if (bytes === undefined) throw unusable(`kafka.sasl.oauth.clientSecretFile: ${path}: no such file`);
  return bytes.toString('utf8').replace(/\r?\n$/, '');
}

/** As RFC 6750 writes them; what is none is never shown, since it may be most of one. */
function tokenIn(text: string, where: string): string {
  if (/^[\w\-.~+/]+=*$/.test(text)) return text;
  throw unusable(
    `${where}: expected one token, got ${text === '' ? 'nothing' : `${text.length} characters that are none`}`,
  );
}

function textIn(document: unknown, name: string): string {
  const value = fieldIn(document, name);
  return typeof value === 'string' ? value.slice(0, 16_384) : '';
}

function fieldIn(document: unknown, name: string): unknown {
  return typeof document === 'object' && document !== null ? Reflect.get(document, name) : undefined;
}

/** Retryable: whoever gives tokens may be back a moment later. */
function unusable(message: string): VarveError {
  return new VarveError('kafka-unreachable', message, {
    retryable: true,
    hint: 'run the command by hand, or ask the endpoint for a token with the same client: brokers are asked again after a while',
  });
}
