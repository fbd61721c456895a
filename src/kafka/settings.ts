/** What is not deterministic, passed in: time and the files that hold certificates and passwords. */
export interface KafkaPorts {
  /** For what lasts; no date. */
  nowMs(): number;
  readFile(path: string): Promise<Buffer>;
  after(delayMs: number, run: () => void): { cancel(): void };
}

export interface KafkaSettings {
  /** `host:port`, or `[IPv6]:port`. Any one that answers is enough. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly rack?: string | undefined;
  readonly ssl?: TlsSettings | undefined;
  readonly sasl?: SaslSettings | undefined;
  /** From the first packet until the broker has accepted us. */
  readonly connectTimeoutMs?: number | undefined;
  /** From the request's last byte until the answer's last byte, on top of what a fetch may wait. */
  readonly requestTimeoutMs?: number | undefined;
}

/** PEM files, read again for every connection. */
export interface TlsSettings {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly serverName?: string | undefined;
}

export type SaslSettings = PasswordSettings | TokenSettings;

export interface TokenSettings {
  readonly mechanism: 'OAUTHBEARER';
  readonly tokens: TokenSource;
}

/** Where bearer tokens come from. */
export interface TokenSource {
  /** One that is still good for a while. */
  get(): Promise<string>;
  /** Told when a broker would not take what `get` gave last: it gives another one. */
  refused(): void;
}

export interface PasswordSettings {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  readonly username: string;
  /** Read again for every connection; one line end at its end is not part of the password. */
  readonly passwordFile?: string | undefined;
  readonly password?: string | undefined;
}

export interface ConnectOptions {
  readonly settings: KafkaSettings;
  readonly ports: KafkaPorts;
  /** Above this many bytes of unreleased fetch responses, sockets are not read until some are released. */
  readonly frameBytesInFlightMax?: number;
  readonly signal?: AbortSignal;
}
