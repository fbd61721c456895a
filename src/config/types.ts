/**
 * The frozen result of loading: the shape of design's table, with every value parsed. Sizes are bytes, durations are
 * milliseconds, paths are absolute; `undefined` is written as an absent key.
 */
export interface Config {
  readonly name: string;
  readonly instance: string;
  readonly kafka: KafkaConfig & {
    /** Where positions are committed; `varve-<name>` unless set. */
    readonly groupId: string;
  };
  readonly targets: Readonly<Record<string, KafkaConfig>>;
  readonly topics: TopicsConfig;
  readonly local: LocalConfig;
  readonly repository: RepositoryConfig;
  readonly retain: RetainConfig;
  readonly archive: {
    readonly keep: ArchiveKeep;
    readonly topics: Readonly<Record<string, { readonly keep: ArchiveKeep }>>;
  };
  readonly verify: { readonly maxAge: number };
  readonly drill: {
    /** A schedule of node-cron's; absent: no drills. */
    readonly schedule?: string;
    readonly topics: readonly string[];
    readonly maxBytes: number;
  };
  readonly observe: ObserveConfig;
  readonly sink: { readonly inFlightBytes: number };
  readonly cycle: { readonly schedule: string; readonly timezone: string; readonly onStart: boolean };
}

/** Whole months of data, or all of it. */
export type ArchiveKeep = 'forever' | { readonly months: number };

export interface KafkaConfig {
  /** `host:port` each. Empty only where no command asked for `kafka.brokers`. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly rack?: string;
  readonly ssl: {
    readonly enabled: boolean;
    readonly caFile?: string;
    readonly certFile?: string;
    readonly keyFile?: string;
    readonly serverName?: string;
  };
  /** Absent: no authentication. */
  readonly sasl?: SaslConfig;
}

export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER';

export interface SaslConfig {
  readonly mechanism: SaslMechanism;
  readonly username?: string;
  readonly passwordFile?: string;
  /** From the environment only. */
  readonly password?: Secret;
  readonly tokenCommand?: string;
  readonly oauth?: {
    readonly tokenEndpoint: string;
    readonly clientId: string;
    readonly clientSecretFile?: string;
    /** From the environment only. */
    readonly clientSecret?: Secret;
    readonly scope?: string;
  };
}

export interface TopicsConfig {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export interface LocalConfig {
  /** Absent only where no command asked for `local.dir`: see `localFolderOf`. */
  readonly dir?: string;
  readonly segmentBytes: number;
  readonly keep: number;
  readonly minFree: number;
}

export interface RepositoryConfig {
  readonly dir?: string;
  readonly keyFile?: string;
  readonly passphraseFile?: string;
  readonly plainNames: boolean;
  readonly level: number;
}

export interface RetainConfig {
  readonly hourly: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly minimum: number;
  readonly minAge: number;
}

export interface ObserveConfig {
  readonly host: string;
  readonly port: number;
  readonly page: boolean;
  readonly logLevel: LogLevel;
  /** A URL that is called after each good cycle. May carry a token. */
  readonly ping?: Secret;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** What a command cannot work without. `repository` means its folder and exactly one key. */
export type Need = 'kafka.brokers' | 'local.dir' | 'repository' | 'repository.dir';

/** Where a value came from. */
export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly file: string; readonly line: number }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'flag'; readonly flag: string };

export interface LoadedConfig {
  readonly config: Config;
  /** The file that was read; absent where there was none. */
  readonly file?: string;
  /** Of every value, by its dotted path: `kafka.brokers`, `archive.topics.orders.keep`. */
  readonly origins: ReadonlyMap<string, Origin>;
}

/** A value given on the command line, above everything else. */
export interface Override {
  readonly path: string;
  readonly value: string;
  /** As the operator typed it, for messages: `--log-level`. */
  readonly flag: string;
}

export interface LoadConfigOptions {
  /** From `--config`; otherwise VARVE_CONFIG, ./varve.yaml, /etc/varve/varve.yaml are looked for. */
  readonly file?: string;
  /** The file may hold the keys of `kafka` alone. */
  readonly isCluster?: boolean;
  readonly overrides?: readonly Override[];
  readonly needs?: readonly Need[];
}

export interface ConfigPorts {
  /** The whole file, or undefined where there is none. */
  readText(path: string): Promise<string | undefined>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** A value that shows itself only when asked by name, so that printing or logging a Config never shows it. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return '(hidden)';
  }

  toJSON(): string {
    return '(hidden)';
  }
}
