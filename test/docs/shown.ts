/** The lines in ``` blocks that begin with the program's name. */
export function commandLinesOf(text: string): string[] {
  const blocks = [...text.matchAll(/^```[a-z]*\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);
  return blocks
    .flatMap((block) => block.replaceAll(/\s*\\\n\s*/g, ' ').split('\n'))
    .flatMap((line) => {
      const found = /^(?:\$ (?:npx )?)?(varve .*)$/.exec(line);
      return found?.[1] === undefined ? [] : [found[1].trim()];
    });
}

/** As a shell takes the line apart, up to a pipe, a redirection or a comment. */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [whole, single, double] of line.matchAll(/'([^']*)'|"([^"]*)"|[^\s'"]+/g)) {
    if (/^[#|>&;]/.test(whole)) break;
    words.push(single ?? double ?? whole);
  }
  return words;
}
