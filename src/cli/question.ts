import { VarveError } from '../errors.ts';
import type { Surroundings } from './command.ts';
import { escapeControls } from './output.ts';

export interface Question {
  readonly question: string;
  /** The word to type instead of yes, such as a topic's name. */
  readonly expect?: string;
  /** Answered on the command line already. */
  readonly yes: boolean;
}

/** Asks on the terminal. Without one, and without `--yes`, nobody can have agreed. */
export async function ask({ question, expect, yes }: Question, around: Surroundings): Promise<boolean> {
  if (yes) return true;
  const text = escapeControls(question);
  if (!around.terminal.stdin || !around.terminal.stderr) {
    throw new VarveError('usage', `a question needs an answer, and there is no terminal to ask on: ${text}`, {
      hint: 'Add --yes to answer it here.',
    });
  }
  const wanted = expect === undefined ? '[y/N]' : `(type ${escapeControls(expect)} to go on)`;
  const answer = (await around.readLine(`${text} ${wanted} `)).trim();
  return expect === undefined ? /^y(?:es)?$/i.test(answer) : answer === expect;
}
