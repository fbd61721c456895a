import { messageOf, VarveError } from '../errors.ts';
import { BadLength } from './failures.ts';

/** How far a connection had come when it failed. */
export type Stage = 'connecting' | 'asking for api versions' | 'authenticating';

interface Finding {
  readonly code: 'kafka-unreachable' | 'kafka-refused';
  readonly text: string;
  readonly hint: string;
}

/** Says why a connection could not be made, in words an operator can act on. */
export function diagnose(
  error: unknown,
  circumstances: { broker: string; stage: Stage; tls: boolean; mechanism: string | undefined },
): VarveError {
  if (error instanceof VarveError && !(error.code === 'kafka-unreachable' && error.cause !== undefined))
    return error;
  const root = rootOf(error);
  const finding = find(root, circumstances);
  return new VarveError(
    finding.code,
    `broker ${circumstances.broker} ${verbs[finding.code]}: ${finding.text}`,
    { cause: error, hint: finding.hint, retryable: true },
  );
}

const verbs = { 'kafka-unreachable': 'cannot be reached', 'kafka-refused': 'refused us' };

function find(root: unknown, at: { stage: Stage; tls: boolean; mechanism: string | undefined }): Finding {
  const code = codeOf(root);
  const message = messageOf(root);
  return (
    wrongProtocol(root, at.tls) ??
    (code === undefined ? undefined : byCode(code, message)) ??
    tlsAlert(code ?? '', message) ??
    (at.stage === 'authenticating' ? saslFailure(message, at.mechanism ?? 'SASL') : undefined) ??
    closedEarly(message, at) ??
    unreachable(message, 'Check that the address is a Kafka broker and reachable from here.')
  );
}

function wrongProtocol(root: unknown, tls: boolean): Finding | undefined {
  const code = codeOf(root) ?? '';
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|ERR_SSL_RECORD/.test(code)) {
    return unreachable(
      `the port does not speak TLS (${code})`,
      'Switch kafka.ssl.enabled off, or use the port of a TLS listener.',
    );
  }
  if (!(root instanceof BadLength)) return undefined;
  if (!tls && root.prefix[0] === 0x15 && root.prefix[1] === 0x03) {
    return unreachable(
      'the port speaks TLS',
      'Switch kafka.ssl.enabled on, or use the port of a plain-text listener.',
    );
  }
  return unreachable(
    `the port does not speak Kafka's protocol (its answer begins with ${JSON.stringify(root.prefix.toString('latin1'))})`,
    'Use the port of a Kafka listener.',
  );
}

function byCode(code: string, message: string): Finding | undefined {
  switch (code) {
    case 'ECONNREFUSED':
      return unreachable(
        'connection refused (ECONNREFUSED)',
        'Check that the broker is up and that the port is right.',
      );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'ENODATA':
      return unreachable(
        `the name cannot be resolved (${code})`,
        'Check the host name and the DNS of this host.',
      );
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return unreachable(
        `no way there (${code})`,
        'Check the route and the firewalls between here and the broker.',
      );
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return refused(
        `its certificate is for another name (${message})`,
        'Name the broker as its certificate does, or set kafka.ssl.serverName.',
      );
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return refused(
        `its certificate is not valid now (${code})`,
        'Renew the certificate of the broker, or set the clock.',
      );
    default:
      return unknownAuthority.has(code)
        ? refused(
            `its certificate comes from a CA that is not known here (${code})`,
            "Set kafka.ssl.caFile to the certificate of the brokers' CA.",
          )
        : undefined;
  }
}

const unknownAuthority = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]);

function tlsAlert(code: string, message: string): Finding | undefined {
  if (!/ALERT|HANDSHAKE_FAILURE/i.test(code) && !/ssl alert/i.test(message)) return undefined;
  const name = /(?:TLSV1[0-9]*|SSLV3)_(?:ALERT_)?([A-Z_]+)$/
    .exec(code)?.[1]
    ?.toLowerCase()
    .replaceAll('_', ' ');
  return refused(
    `it ended the TLS handshake (${name ?? message})`,
    'The listener wants a client certificate that it trusts: set kafka.ssl.certFile and kafka.ssl.keyFile.',
  );
}

function saslFailure(message: string, mechanism: string): Finding | undefined {
  if (/not supported by the server|does not support the requested SASL mechanism/i.test(message)) {
    return refused(
      `the listener does not have the mechanism ${mechanism}`,
      'Set kafka.sasl.mechanism to one that the listener has enabled.',
    );
  }
  if (/not valid given the current SASL state/i.test(message)) {
    return refused(
      'the listener does not authenticate with SASL',
      'Remove kafka.sasl, or use the port of a SASL listener.',
    );
  }
  if (
    /authentication failed|SASL/i.test(message) &&
    !/clos|timed out|timeout|not connected|connection/i.test(message)
  ) {
    return refused(
      `the credentials were not accepted (${mechanism})`,
      mechanism === 'OAUTHBEARER'
        ? "Look at the token's issuer, audience and end, and at what the brokers expect of them."
        : 'Check kafka.sasl.username, the password file and kafka.sasl.mechanism.',
    );
  }
  return undefined;
}

function closedEarly(message: string, at: { stage: Stage; tls: boolean }): Finding | undefined {
  if (!/closed|reset|ECONNRESET|EPIPE|hang up|disconnected/i.test(message)) return undefined;
  const hint = at.tls
    ? 'Check that the port is that of a TLS listener; switch kafka.ssl.enabled off if it speaks plain text.'
    : 'Check that the port is that of a Kafka listener, and switch kafka.ssl.enabled on if it speaks TLS.';
  return unreachable(`it closed the connection while ${at.stage}`, hint);
}

function unreachable(text: string, hint: string): Finding {
  return { code: 'kafka-unreachable', text, hint };
}

function refused(text: string, hint: string): Finding {
  return { code: 'kafka-refused', text, hint };
}

/** The innermost error: the operating system's, or OpenSSL's, below our own. */
function rootOf(error: unknown): unknown {
  let root = error;
  for (let depth = 0; depth < 10 && root instanceof Error && root.cause !== undefined; depth += 1)
    root = root.cause;
  return root;
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
