import type { VarveError } from '../errors.ts';
import { escapeControls } from '../observe/observe.ts';

export { escapeControls };

/** For people, on stderr. Only the first line of a message begins at the margin. */
export function errorText(error: VarveError): string {
  const message = error.message.split('\n').map(escapeControls).join('\n  ');
  const hint = error.hint === undefined ? '' : `  hint: ${escapeControls(error.hint)}\n`;
  return `varve: ${message}\n${hint}`;
}

/** For programs, on stdout: always one line. */
export function errorDocument(error: VarveError): string {
  const { code, message, hint } = error;
  return JSON.stringify({ error: { code, message, hint: hint ?? null } });
}

const cellGap = '  ';

/**
 * Rows in columns, as wide as their widest cell. Where that is wider than the terminal the last column is wrapped
 * under itself; no other cell is ever cut, since a cut name names something else.
 */
export function tableLines(rows: readonly (readonly string[])[], columns: number): string[] {
  const cells = rows.map((row) => row.map(escapeControls));
  const columnCount = Math.max(0, ...cells.map((row) => row.length));
  const widths = Array.from({ length: columnCount }, (_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  const lastAt = widths.slice(0, -1).reduce((sum, width) => sum + width + cellGap.length, 0);
  const room = Math.max(lastWidthMin, columns - lastAt);
  return cells.flatMap((row) => {
    const fixed = widths.slice(0, -1).map((width, column) => (row[column] ?? '').padEnd(width));
    const [first = '', ...more] = wrap(row[columnCount - 1] ?? '', room);
    return [[...fixed, first].join(cellGap), ...more.map((line) => ' '.repeat(lastAt) + line)].map((line) =>
      line.trimEnd(),
    );
  });
}

const lastWidthMin = 20;

/** At spaces where there are any; a word that is longer than the line stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
