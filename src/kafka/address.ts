import { VarveError } from '../errors.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `host:port` or `[IPv6]:port`. */
export function parseAddress(text: string): Address {
  const match = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<name>[^:\s/]+)):(?<port>\d{1,5})$/.exec(text.trim());
  const host = match?.groups?.['v6'] ?? match?.groups?.['name'];
  const port = Number(match?.groups?.['port']);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new VarveError('config', `kafka.brokers: expected host:port, got "${text}"`, {
      hint: 'Name each broker as host:port, an IPv6 address in brackets.',
    });
  }
  return { host, port };
}

export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
