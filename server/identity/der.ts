/**
 * Lives here: reading DER, the bytes that certificates and revocation lists
 * are made of. Does not know: what stands in them.
 */

/** One value: its tag, and what it holds. */
export interface DerNode {
  tag: number;
  content: Buffer;
  /** Tag, length and content. */
  whole: Buffer;
}

/** Tags of ASN.1 that are used here. */
export const derTags = {
  integer: 0x02, bitString: 0x03, octetString: 0x04, oid: 0x06, sequence: 0x30, set: 0x31, utcTime: 0x17, generalizedTime: 0x18,
} as const;

/** Reads every value that stands in some bytes, one after the other. @throws Error if they are no DER */
export function readDer(bytes: Buffer): DerNode[] {
  const nodes: DerNode[] = [];
  for (let at = 0; at < bytes.length;) {
    const { tag, start, end } = readHeader(bytes, at);
    nodes.push({ tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) });
    at = end;
  }
  return nodes;
}

/** The values within a value. @throws Error if it is none of that tag, or no DER */
export function readInside(node: DerNode | undefined, tag: number): DerNode[] {
  return readDer(expectTag(node, tag).content);
}

/** A value of this tag. @throws Error if it is another or missing */
export function expectTag(node: DerNode | undefined, tag: number): DerNode {
  if (node?.tag !== tag) throw malformed();
  return node;
}

/** An object identifier as numbers with dots. */
export function readOid(node: DerNode | undefined): string {
  const numbers: bigint[] = [];
  let number = 0n;
  for (const byte of expectTag(node, derTags.oid).content) {
    number = number << 7n | BigInt(byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    if (numbers.length === 0) {
      const first = number < 80n ? number / 40n : 2n;
      numbers.push(first, number - first * 40n);
    } else numbers.push(number);
    number = 0n;
  }
  return numbers.join('.');
}

/** A point in time. Years of two digits are from 1950 to 2049 (RFC 5280). */
export function readTime(node: DerNode | undefined): Date {
  const text = node?.content.toString('latin1') ?? '';
  const [, year = '', rest = ''] = (node?.tag === derTags.generalizedTime ? /^(\d{4})(\d{10})Z$/ : /^(\d{2})(\d{10})Z$/).exec(text) ?? [];
  const [month, day, hour, minute, second] = rest.match(/../g) ?? [];
  if (second === undefined || (node?.tag !== derTags.utcTime && node?.tag !== derTags.generalizedTime)) throw malformed();
  const full = year.length === 4 ? year : `${Number(year) < 50 ? '20' : '19'}${year}`;
  return new Date(`${full}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function readHeader(bytes: Buffer, at: number): { tag: number; start: number; end: number } {
  const tag = bytes[at];
  let length = bytes[at + 1];
  let start = at + 2;
  // Tags of several bytes, and lengths that are not said, are in none of the formats read here.
  if (tag === undefined || (tag & 0x1f) === 0x1f || length === undefined || length === 0x80) throw malformed();
  if (length > 0x80) {
    const size = length & 0x7f;
    if (size > 4 || start + size > bytes.length) throw malformed();
    length = bytes.readUIntBE(start, size);
    start += size;
  }
  if (start + length > bytes.length) throw malformed();
  return { tag, start, end: start + length };
}

function malformed(): Error {
  return new Error('malformed DER');
}
