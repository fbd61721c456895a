import type { VarveError } from '../errors.ts';
import { escapeControls, escapeJsonControls } from '../escape.ts';

export { escapeControls, escapeJsonControls };

/** For people, on stderr. Only the first line of a message begins at the margin. */
export function errorText(error: VarveError): string {
  const message = error.message.split('\n').map(escapeControls).join('\n  ');
  const hint = error.hint === undefined ? '' : `  hint: ${escapeControls(error.hint)}\n`;
  return `varve: ${message}\n${hint}`;
}

/** For programs, on stdout: always one line. */
export function errorDocument(error: VarveError): string {
  const { code, message, hint } = error;
  return escapeJsonControls(JSON.stringify({ error: { code, message, hint: hint ?? null } }));
}

const cellGap = '  ';

/**
 * Rows in columns, as wide as their widest cell. Where they are wider than the terminal the last column is wrapped under
 * itself; columns that still do not fit go on lines of their own below their row. No cell but the last is ever cut,
 * since a cut name names something else.
 */
export function tableLines(rows: readonly (readonly string[])[], columns: number): string[] {
  const cells = rows.map((row) => row.map(escapeControls));
  const columnCount = Math.max(0, ...cells.map((row) => row.length));
  const widths = Array.from({ length: columnCount }, (_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  const shelves = shelvesOf(widths, columns);
  return cells.flatMap((row) =>
    shelves.flatMap(({ from, to, indent }) => {
      const isLast = to === columnCount;
      const fixed = widths.slice(from, isLast ? to - 1 : to);
      const starts = indent + fixed.reduce((sum, width) => sum + width + cellGap.length, 0);
      const cellsHere = fixed.map((width, at) => (row[from + at] ?? '').padEnd(width));
      const [first = '', ...more] = isLast
        ? wrap(row[to - 1] ?? '', Math.max(lastWidthMin, columns - starts))
        : [];
      return [
        ' '.repeat(indent) + [...cellsHere, first].join(cellGap),
        ...more.map((line) => ' '.repeat(starts) + line),
      ]
        .map((line) => line.trimEnd())
        .filter((line) => line !== '' || from === 0);
    }),
  );
}

/** Which columns stand side by side: as many as fit; the last needs no more room than it can be wrapped into. */
function shelvesOf(
  widths: readonly number[],
  columns: number,
): readonly { readonly from: number; readonly to: number; readonly indent: number }[] {
  const shelves = [{ from: 0, to: 0, indent: 0 }];
  let at = 0;
  for (const [column, width] of widths.entries()) {
    const needed = column === widths.length - 1 ? Math.min(width, lastWidthMin) : width;
    const shelf = shelves.at(-1);
    if (shelf !== undefined && (shelf.to === shelf.from || at + needed <= columns)) shelf.to = column + 1;
    else {
      shelves.push({ from: column, to: column + 1, indent: cellGap.length });
      at = cellGap.length;
    }
    at += width + cellGap.length;
  }
  return shelves;
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
