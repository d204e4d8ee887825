/**
 * Lives here: keeping text that comes from elsewhere (names, host names of
 * guests, a daemon's messages) from acting on the terminal. Does not know:
 * where the text comes from.
 */

/** What a terminal would not show as itself: controls, direction marks and other invisible signs, line separators, half surrogates. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/gu;
const unprintableButNewline = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/gu;
/** What makes an escape mark itself doubtful. */
const escapeMark = /\\(?=x)/g;
/** Most text: printable ASCII without a backslash. Found out without the large tables behind the others, which take milliseconds to build. */
const ordinary = /^[\x20-\x5b\x5d-\x7e]*$/;

/**
 * Makes a text safe to stand in one line: what is unprintable becomes the
 * bytes of it, as `\x1b`. A backslash before an x becomes `\x5c`, so that what
 * was escaped can be told from what was there; virsh's tables do the same.
 */
export function escapeLine(text: string): string {
  if (ordinary.test(text)) return text;
  return text.replace(escapeMark, '\\x5c').replace(unprintable, bytes);
}

/** The same for a text that may have several lines; those after the first are indented, so that none passes for ours. */
export function escapeText(text: string): string {
  return text.trimEnd().replace(escapeMark, '\\x5c').replace(unprintableButNewline, bytes).replaceAll('\n', '\n  ');
}

/** Makes JSON text safe without changing what it means: `\u009b`. */
export function escapeJson(json: string): string {
  return json.replace(unprintableButNewline, (character) =>
    Array.from({ length: character.length }, (_, i) => `\\u${hex(character.charCodeAt(i), 4)}`).join(''));
}

/** Makes XML text safe without changing what it means: `&#x9b;`. */
export function escapeXml(xml: string): string {
  return xml.replace(unprintableButNewline, (character) => character === '\t' ? character : `&#x${character.codePointAt(0)!.toString(16)};`);
}

/** Whether a text has something to escape. */
export function hasUnprintable(text: string): boolean {
  return text.search(unprintable) >= 0;
}

/** How many columns a terminal gives a text that has nothing to escape. */
export function widthOf(text: string): number {
  if (ordinary.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += wide.test(character) ? 2 : zero.test(character) ? 0 : 1;
  return width;
}

const wide = /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6\p{Emoji_Presentation}]/u;
const zero = /[\p{Mn}\p{Me}]/u;

function bytes(character: string): string {
  return [...Buffer.from(character)].map((byte) => `\\x${hex(byte, 2)}`).join('');
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
