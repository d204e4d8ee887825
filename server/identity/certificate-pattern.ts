/**
 * Lives here: patterns for certificates, as lists of who is let in and tables
 * of who may what have them. Does not know: lists, tables.
 *
 *     CN=alice,O=Lab            the whole subject, part by part; * stands for any text within one value
 *     DNS:*.lab.example         an alternative name; * stands for any text between two dots
 *     URI:spiffe://lab/*        the same, between two slashes
 *     IP:192.0.2.7, email:*@lab.example
 *     SHA256:9f86d0...          the certificate itself, by its fingerprint; colons may stand in it
 */
import type { CertificateIdentity } from './certificate.js';

/** A pattern that was understood. */
export interface CertificatePattern {
  matches(certificate: CertificateIdentity): boolean;
}

/** A value with the places where any text may stand: between two of these. */
type Glob = readonly string[];
type PatternPart = readonly { type: string; value: Glob }[];

/**
 * Reads a pattern.
 *
 * @throws Error that says what is wrong with it
 */
export function parsePattern(text: string): CertificatePattern {
  if (/^SHA256:/i.test(text)) return parseFingerprint(text.slice('SHA256:'.length));
  return alternative.test(text) ? parseAlternativeName(text) : parseSubject(text);
}

const alternative = /^(DNS|URI|IP|email):(.*)$/is;

/** Reads the pattern of an alternative name. @throws Error as parsePattern, and if it has no kind */
export function parseAlternativeName(text: string): CertificatePattern {
  requireLine(text);
  const [, kind = '', rest = ''] = alternative.exec(text) ?? [];
  switch (kind.toLowerCase()) {
    case 'dns': return parseAlternative('DNS:', rest.toLowerCase(), '.');
    case 'uri': return parseAlternative('URI:', rest, '/');
    case 'ip': return parseAlternative('IP:', rest.toLowerCase(), undefined);
    case 'email': return parseAlternative('email:', rest, '@');
    default: throw new Error(`'${text}' does not begin with DNS:, URI:, email: or IP:`);
  }
}

function requireLine(text: string): void {
  if (/\p{Cc}/u.test(text)) throw new Error('it must be on one line');
}

/** Whether a text reads as a pattern; if not, why. */
export function patternProblem(text: string): string | undefined {
  try {
    parsePattern(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Reads a fingerprint. @throws Error if it is none */
export function parseFingerprint(text: string): CertificatePattern {
  const digits = text.replaceAll(':', '').toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(digits)) throw new Error('a SHA256 fingerprint has 64 hexadecimal digits');
  return { matches: ({ fingerprint }) => fingerprint === digits };
}

/** @param between what separates the parts that a star cannot reach across */
function parseAlternative(prefix: string, text: string, between: string | undefined): CertificatePattern {
  if (text === '') throw new Error(`nothing stands after ${prefix}`);
  const partsOf = (value: string) => (between === undefined ? [value] : value.split(between));
  const globs = partsOf(text).map((part) => part.split('*'));
  return {
    matches: ({ alternativeNames }) => alternativeNames.some((name) => {
      if (!name.startsWith(prefix)) return false;
      const value = name.slice(prefix.length);
      const parts = partsOf(prefix === 'DNS:' ? value.toLowerCase() : value);
      return parts.length === globs.length && globs.every((glob, index) => globMatches(glob, parts[index]!));
    }),
  };
}

/** Reads the pattern of a whole subject. @throws Error as parsePattern */
export function parseSubject(text: string): CertificatePattern {
  requireLine(text);
  const parts = readParts(text);
  return {
    matches: ({ subject }) => subject.length === parts.length && (
      // As RFC 4514 writes it, the most specific first, or in the certificate's own order, as openssl shows it.
      parts.every((part, index) => partMatches(part, subject[subject.length - 1 - index]!))
      || parts.every((part, index) => partMatches(part, subject[index]!))),
  };
}

/** Every value of one is one of the other. */
function partMatches(pattern: PatternPart, part: readonly { type: string; value: string }[]): boolean {
  const left = [...part];
  return pattern.length === part.length && pattern.every(({ type, value }) => {
    const found = left.findIndex((candidate) => candidate.type.toLowerCase() === type.toLowerCase() && globMatches(value, candidate.value));
    if (found >= 0) left.splice(found, 1);
    return found >= 0;
  });
}

/** A star stands for any text, but for no control character: whoever has those in a name means to deceive. Nothing at all matches no star. */
function globMatches(glob: Glob, value: string): boolean {
  const [first = '', ...rest] = glob;
  const last = rest.pop();
  if (last === undefined) return value === first;
  if (value === '' || /\p{Cc}/u.test(value) || !value.startsWith(first) || value.length < first.length + last.length || !value.endsWith(last)) return false;
  const end = value.length - last.length;
  let at = first.length;
  for (const piece of rest) {
    const found = value.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

/** Takes `CN=alice+UID=7,O=Lab\, Inc` apart. */
function readParts(text: string): PatternPart[] {
  const parts: { type: string; value: string[] }[][] = [[]];
  let rest = text;
  for (;;) {
    const [head, type] = /^\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)\s*=\s*/.exec(rest) ?? [];
    if (head === undefined || type === undefined) throw new Error('a subject reads as TYPE=VALUE,TYPE=VALUE, such as CN=alice,O=Lab');
    const { glob, length } = readValue(rest.slice(head.length));
    parts.at(-1)!.push({ type, value: glob });
    const mark = rest[head.length + length];
    if (mark === undefined) return parts;
    if (mark === ',') parts.push([]);
    rest = rest.slice(head.length + length + 1);
  }
}

/** Reads a value up to the next `,` or `+` that is not escaped; spaces after it do not count. */
function readValue(text: string): { glob: string[]; length: number } {
  const bytes: Buffer[] = [];
  const glob: string[] = [];
  let kept = 0;
  let at = 0;
  const flush = () => glob.push(Buffer.concat(bytes.splice(0)).toString('utf8'));
  while (at < text.length && text[at] !== ',' && text[at] !== '+') {
    const [whole, hex, escaped, star] = /^(?:\\([0-9A-Fa-f]{2})|\\(.)|(\*))/su.exec(text.slice(at)) ?? [];
    const plain = String.fromCodePoint(text.codePointAt(at)!);
    if (star !== undefined) flush();
    else if (plain === '\\' && whole === undefined) throw new Error('it ends with a backslash');
    else bytes.push(hex === undefined ? Buffer.from(escaped ?? plain) : Buffer.from(hex, 'hex'));
    at += (whole ?? plain).length;
    if (plain !== ' ') kept = bytes.length;
  }
  bytes.splice(kept);
  flush();
  return { glob, length: at };
}
