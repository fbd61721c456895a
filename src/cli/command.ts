import type { Config, LoadedConfig, Need } from '../config/config.ts';
import type { Host } from '../host/host.ts';

/** What one command is, to the frame: its words for `--help`, its options, and what it does. */
export interface Command {
  /** As typed: `backup`, or two words: `config print`. */
  readonly name: string;
  /** What follows the name: `[topic..]`; `<this>` is required, `[that]` is not. Empty for most. */
  readonly positionals?: readonly PositionalSpec[];
  /** One line, a sentence without a full stop. */
  readonly summary: string;
  /** More, for the command's own help. Wrapped there; a line break begins a paragraph. */
  readonly description?: string;
  /** Command lines as an operator types them, each with what it does. Every command has at least one. */
  readonly examples: readonly (readonly [commandLine: string, what: string])[];
  readonly options?: Readonly<Record<string, OptionSpec>>;
  /** What the configuration must hold before `run` sees it. */
  readonly needs?: readonly Need[];
  /** The command ends by itself once its signal aborts. Without this the first SIGINT or SIGTERM ends the process. */
  readonly drains?: boolean;
  /** A terminal that hangs up does not end the command. */
  readonly outlivesTerminal?: boolean;
  /** A closed stdout ends the command with 0. Without this it goes on, for its work and its exit status. */
  readonly streams?: boolean;
  /** Resolves to the exit status; throws a VarveError for everything that has a code. */
  readonly run: (context: CommandContext) => Promise<number>;
}

export interface OptionSpec {
  /**
   * `strings`: may be repeated, and each takes a comma list. `repeated`: may be repeated, commas are part of it.
   * `count`: a whole number.
   */
  readonly type: 'flag' | 'string' | 'strings' | 'repeated' | 'count';
  readonly summary: string;
  /** Shown in the help instead of the type: `TOPIC`. */
  readonly value?: string;
  /** What it means where no value follows; without this a value must follow. */
  readonly without?: string;
  readonly alias?: string;
  readonly choices?: readonly string[];
  readonly required?: boolean;
}

export interface PositionalSpec {
  readonly name: string;
  readonly summary: string;
  readonly required?: boolean;
  /** Takes all the words that follow. */
  readonly many?: boolean;
}

export interface CommandContext {
  readonly args: Args;
  readonly json: boolean;
  /** File, environment and flags, checked against the command's needs; parsed once, on the first call. */
  readonly config: () => Promise<Config>;
  /** The same, with the origin of every value. `needs` replaces the command's own. */
  readonly loadedConfig: (needs?: readonly Need[]) => Promise<LoadedConfig>;
  /** One line of the result, on stdout, hostile characters escaped. Waits while the reader is slower. */
  readonly out: (line: string) => Promise<void>;
  /** Bytes of the result, on stdout. */
  readonly write: (chunk: string | Uint8Array) => Promise<void>;
  /** One line for people, on stderr, hostile characters escaped. */
  readonly err: (line: string) => void;
  /** Text as it is, on stderr: for what is rewritten in place on a terminal. */
  readonly errText: (text: string) => void;
  /** Prints rows as a table that fits the terminal, hostile characters escaped. */
  readonly table: (rows: readonly (readonly string[])[]) => Promise<void>;
  /**
   * Asks; true for yes, and under `--yes` (an option of the command's own). `expect` asks for a word, such as a
   * topic's name, instead of yes. Without a terminal and without `--yes`: throws `usage`.
   */
  readonly confirm: (question: string, options?: { readonly expect?: string }) => Promise<boolean>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborted by the first SIGINT or SIGTERM where the command `drains`; a second one ends the process at once. */
  readonly signal: AbortSignal;
  readonly host: Host;
  readonly terminal: { readonly stdout: boolean; readonly stderr: boolean; readonly columns: number };
}

/** The parsed command line: every read is checked against the command's own declaration. */
export interface Args {
  readonly flag: (name: string) => boolean;
  readonly string: (name: string) => string | undefined;
  /** Of `strings`. */
  readonly list: (name: string) => readonly string[];
  readonly repeated: (name: string) => readonly string[];
  readonly count: (name: string) => number | undefined;
  /** Everything behind the command's name, as it was typed. */
  readonly typed: readonly string[];
  /** Positionals, in order. */
  readonly words: readonly string[];
}

/** What the process around the command line gives it; tests give their own. */
export interface Surroundings {
  readonly host: Host;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
  readonly terminal: CommandContext['terminal'] & { readonly stdin: boolean };
  /** Called before a command that drains: from then on the first signal aborts. */
  readonly beginDraining: () => void;
  /** Called before a command that outlives its terminal: from then on SIGHUP is passed over. */
  readonly beginOutliving: () => void;
  /** Called before a command that streams: from then on a closed stdout ends the process. */
  readonly beginStreaming: () => void;
  /** Resolves once the chunk may be followed by another. */
  readonly stdout: (chunk: string | Uint8Array) => Promise<void>;
  readonly stderr: (text: string) => void;
  /** One line from the terminal. */
  readonly readLine: (prompt: string) => Promise<string>;
}
