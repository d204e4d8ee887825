/**
 * Lives here: certificate revocation lists: what one says, and whether it is
 * its CA's. Does not know: files, connections.
 */
import { verify, type X509Certificate } from 'node:crypto';
import { namesOf } from './certificate.js';
import { derTags, expectTag, readDer, readInside, readOid, readTime, type DerNode } from './der.js';

/** A list of certificates that do not count any more. */
export interface RevocationList {
  /** The bytes of its CA's name. */
  issuer: Buffer;
  /** When it is over: from then on nobody of this CA is let in. Undefined: never. */
  nextUpdate: Date | undefined;
  /** Serial numbers, in lower-case hexadecimal digits without leading zeros. */
  serials: ReadonlySet<string>;
  /** Whether a CA signed it; undefined if it is signed in a way that is not known here. */
  isSignedBy(authority: X509Certificate): boolean | undefined;
}

/** Digests by the numbers of signatures with them; without one the key says how. */
const digests: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.11': 'sha256', '1.2.840.113549.1.1.12': 'sha384', '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256', '1.2.840.10045.4.3.3': 'sha384', '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null, '1.3.101.113': null,
};

/** Reads a list from its DER. @throws Error if it is malformed */
export function readRevocationList(der: Buffer): RevocationList {
  const [outer] = readDer(der);
  const [body, algorithm, signature] = readInside(outer, derTags.sequence);
  const parts = readInside(body, derTags.sequence);
  const [, issuer, , ...rest] = parts[0]?.tag === derTags.integer ? parts.slice(1) : parts;
  const times = rest[0]?.tag === derTags.utcTime || rest[0]?.tag === derTags.generalizedTime ? rest.splice(0, 1) : [];
  const revoked = rest[0]?.tag === derTags.sequence ? readInside(rest[0], derTags.sequence) : [];
  const digest = digests[readOid(readInside(algorithm, derTags.sequence)[0])];
  return {
    issuer: expectTag(issuer, derTags.sequence).whole,
    nextUpdate: times[0] === undefined ? undefined : readTime(times[0]),
    serials: new Set(revoked.map((entry) => readSerial(readInside(entry, derTags.sequence)[0]))),
    isSignedBy: (authority) => (digest === undefined ? undefined
      : verify(digest, expectTag(body, derTags.sequence).whole, authority.publicKey, expectTag(signature, derTags.bitString).content.subarray(1))),
  };
}

/** Whether a list names a certificate. */
export function isRevoked(certificate: X509Certificate, lists: readonly RevocationList[]): boolean {
  const { issuer } = namesOf(certificate);
  const serial = plainSerial(certificate.serialNumber);
  return lists.some((list) => list.issuer.equals(issuer) && list.serials.has(serial));
}

function readSerial(node: DerNode | undefined): string {
  return plainSerial(expectTag(node, derTags.integer).content.toString('hex'));
}

function plainSerial(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, '');
}
