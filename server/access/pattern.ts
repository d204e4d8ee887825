/**
 * Lives here: the patterns of names in an access table: which they fit. Does
 * not know: whose names they are; certificates, which have patterns of their
 * own.
 *
 * A pattern fits the whole of a text. `*` stands for any characters, also
 * none; a backslash takes its meaning from the character behind it.
 */

/** A text with gaps: what stands before, between and behind its `*`. */
export type Pattern = readonly string[];

/** Reads a pattern. @throws Error if it ends in the middle of an escape */
export function parsePattern(text: string): Pattern {
  return splitAt(text, '*').map(unescape);
}

/** Whether a pattern fits a text. Takes time in proportion to their lengths multiplied, at the most. */
export function fits(pattern: Pattern, text: string): boolean {
  const [first = '', ...rest] = pattern;
  if (rest.length === 0) return text === first;
  const last = rest.pop()!;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let place = first.length;
  // The first place where a piece fits leaves the most room for those behind it.
  for (const piece of rest) {
    const found = text.indexOf(piece, place);
    if (found < 0 || found + piece.length > text.length - last.length) return false;
    place = found + piece.length;
  }
  return true;
}

/** Splits at each of a character that no backslash stands before. */
function splitAt(text: string, at: string): string[] {
  const parts = [''];
  for (let i = 0; i < text.length; i += 1) {
    if (text[i] === at) {
      parts.push('');
      continue;
    }
    const escape = text[i] === '\\';
    parts[parts.length - 1] += text.slice(i, i + (escape ? 2 : 1));
    if (escape) i += 1;
  }
  return parts;
}

function unescape(text: string): string {
  return text.replace(/\\(.?)/gs, (_, character: string) => {
    if (character === '') throw new Error(`'${text}' ends with a backslash`);
    return character;
  });
}
