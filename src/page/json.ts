/** Exact as JSON, and harmless wherever it is looked at: what could end a script or turn text around is written as an escape. */
export function jsonText(document: object): string {
  const text = JSON.stringify(document, null, 1);
  return `${text.replaceAll(/[<>&\u{7f}-\u{9f}\p{Cf}\p{Zl}\p{Zp}]/gu, asEscape)}\n`;
}

function asEscape(character: string): string {
  return [...Array(character.length).keys()]
    .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
    .join('');
}
