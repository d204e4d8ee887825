/**
 * Lives here: the patterns of an access table: which names, subjects and
 * alternative names they fit. Does not know: whose they are, what follows.
 *
 * A pattern fits the whole of a text. `*` stands for any characters, also
 * none, and never for what ends a part of a subject, of a host name or of a
 * URI; a backslash takes its meaning from the character behind it.
 */

/** A text with gaps: what stands before, between and behind its `*`. */
export type Pattern = readonly string[];

/** One part of a subject: its values, such as CN=alice. Most have one. */
export type PartPattern = readonly { readonly type: string; readonly value: Pattern }[];

/** A part of a certificate's subject. */
type Part = readonly { readonly type: string; readonly value: string }[];

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

/**
 * Reads the pattern of a subject, in the order of RFC 4514: the most particular
 * part first (`CN=alice,O=Lab`), values of one part joined by `+`.
 *
 * @returns its parts, the most general first
 * @throws Error if a part is no TYPE=VALUE
 */
export function parseSubject(text: string): readonly PartPattern[] {
  return splitAt(text, ',').map((part) => splitAt(part, '+').map((value) => {
    const [, type = '', rest = ''] = /^\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)=(.*)$/s.exec(value) ?? [];
    if (type === '') throw new Error(`'${value}' is no TYPE=VALUE such as CN=alice`);
    return { type: type.toUpperCase(), value: parsePattern(rest) };
  })).reverse();
}

/** Whether a pattern fits a subject: part by part, none left over on either side. */
export function fitsSubject(pattern: readonly PartPattern[], subject: readonly Part[]): boolean {
  return pattern.length === subject.length && pattern.every((part, i) => fitsPart(part, subject[i]!));
}

function fitsPart(pattern: PartPattern, part: Part): boolean {
  const byType = <T extends { readonly type: string }>(values: readonly T[]) =>
    values.toSorted((a, b) => (a.type.toUpperCase() < b.type.toUpperCase() ? -1 : a.type.toUpperCase() > b.type.toUpperCase() ? 1 : 0));
  const [wanted, values] = [byType(pattern), byType(part)];
  return wanted.length === values.length
    && wanted.every(({ type, value }, i) => type === values[i]!.type.toUpperCase() && fits(value, values[i]!.value));
}

/** What ends a part of an alternative name, by its kind. */
const ends: Record<string, string> = { DNS: '.', URI: '/', email: '@' };

/** The pattern of an alternative name: its kind, and its parts. */
export interface NamePattern {
  readonly kind: string;
  readonly parts: readonly Pattern[];
}

/** Reads the pattern of an alternative name: `DNS:*.lab.example`, `URI:spiffe://lab/*`. @throws Error if it has no kind */
export function parseAlternativeName(text: string): NamePattern {
  const [, kind = '', rest = ''] = /^(DNS|URI|email|IP):(.+)$/s.exec(text) ?? [];
  if (kind === '') throw new Error(`'${text}' does not begin with DNS:, URI:, email: or IP:`);
  return { kind, parts: rest.split(ends[kind] ?? '\0').map(parsePattern) };
}

/** Whether a pattern fits an alternative name: `*` ends with a label of a host name, and with a segment of a URI. */
export function fitsAlternativeName({ kind, parts }: NamePattern, name: string): boolean {
  if (!name.startsWith(`${kind}:`)) return false;
  const found = name.slice(kind.length + 1).split(ends[kind] ?? '\0');
  return found.length === parts.length && parts.every((part, i) => fits(part, found[i]!));
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
