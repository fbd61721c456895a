/**
 * Control characters, and those that change the direction or the order of text, as escapes: names and error texts
 * come from outside, and a terminal would obey them.
 */
export function escapeControls(text: string): string {
  return text.replaceAll(controls, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** The same inside of JSON, which stays the same document: JSON itself escapes only some of them. */
export function escapeJsonControls(json: string): string {
  return json.replaceAll(controls, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

const controls = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
