/** Text as HTML. What comes from outside is escaped where it is put in, by the template itself: nobody can forget it. */
import { escapeControls } from '../escape.ts';

/** Markup that was made by a template, and by nothing else. */
export class Html {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  static of(parts: readonly string[], values: readonly Inset[]): Html {
    let text = parts[0] ?? '';
    for (const [index, value] of values.entries()) text += textOf(value) + (parts[index + 1] ?? '');
    return new Html(text);
  }

  toString(): string {
    return this.#text;
  }
}

export type Inset = Html | string | number | bigint | undefined | false | readonly Inset[];

/** Every value is escaped, whether it lands between tags or in a quoted attribute; what is undefined or false is nothing. */
export function html(parts: TemplateStringsArray, ...values: readonly Inset[]): Html {
  return Html.of(parts, values);
}

/** Of this program's own texts only: a style sheet, a script. */
export function verbatim(text: string): Html {
  return Html.of([text], []);
}

function textOf(value: Inset): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (typeof value === 'object') return value.map(textOf).join('');
  return typeof value === 'string' ? escaped(value) : String(value);
}

const entities = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
  ['`', '&#96;'],
]);

/** Most texts are short and plain: they are seen to be at a glance. */
const plain = /^[ !#-%(-;=?-_a-~]*$/;

function escaped(text: string): string {
  if (plain.test(text)) return text;
  return escapeControls(text).replaceAll(/[&<>"'`]/g, (character) => entities.get(character) ?? '');
}
