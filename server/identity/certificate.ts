/**
 * Lives here: who a certificate says that somebody is, from its bytes. Does
 * not know: whether it is to be believed, files, sockets.
 *
 * The names are read from the certificate itself and never from a text that
 * joins them: a name that holds a comma or a new line is one name.
 */
import type { X509Certificate } from 'node:crypto';
import { numberToAddress } from '../../shared/address.js';
import type { Identity } from '../connections.js';
import { derTags, expectTag, readDer, readInside, readOid, type DerNode } from './der.js';

/** What is known of a client by its certificate. */
export type CertificateIdentity = NonNullable<Identity['certificate']>;

/** The short names of what a subject is made of (RFC 4514, and what openssl calls the others). */
const attributeNames: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN', '2.5.4.4': 'SN', '2.5.4.5': 'serialNumber', '2.5.4.6': 'C', '2.5.4.7': 'L', '2.5.4.8': 'ST', '2.5.4.9': 'STREET',
  '2.5.4.10': 'O', '2.5.4.11': 'OU', '2.5.4.12': 'title', '2.5.4.42': 'GN', '2.5.4.46': 'dnQualifier',
  '0.9.2342.19200300.100.1.1': 'UID', '0.9.2342.19200300.100.1.25': 'DC', '1.2.840.113549.1.9.1': 'emailAddress',
};

const alternativeNamesOid = '2.5.29.17';

/** The parts of a certificate that say whose it is and who signed it. */
interface Body {
  issuer: DerNode;
  subject: DerNode;
  extensions: DerNode | undefined;
}

/** Who a certificate says that somebody is. @throws Error if it is malformed */
export function readIdentity(certificate: X509Certificate): CertificateIdentity {
  const { subject, extensions } = readBody(certificate);
  return {
    subject: readName(subject),
    alternativeNames: readAlternativeNames(extensions),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

/** The bytes of a certificate's issuer and subject, to compare. @throws Error if it is malformed */
export function namesOf(certificate: X509Certificate): { issuer: Buffer; subject: Buffer } {
  const { issuer, subject } = readBody(certificate);
  return { issuer: issuer.whole, subject: subject.whole };
}

/** A subject in one line as RFC 4514 has it: the most specific part first, unambiguous. */
export function formatSubject(subject: CertificateIdentity['subject']): string {
  return subject.toReversed().map((part) => part.map(({ type, value }) => `${type}=${escapeValue(value)}`).join('+')).join(',');
}

function escapeValue(value: string): string {
  return value.replace(/[,+"\\<>;=]/g, '\\$&').replace(/^[ #]| $/g, '\\$&')
    .replace(/\p{Cc}/gu, (character) => [...Buffer.from(character)].map((byte) => `\\${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''));
}

function readBody(certificate: X509Certificate): Body {
  const [outer] = readDer(certificate.raw);
  const [body] = readInside(outer, derTags.sequence);
  const parts = readInside(body, derTags.sequence);
  // The version is left out where it is the first.
  const [, , issuer, , subject] = parts[0]?.tag === 0xa0 ? parts.slice(1) : parts;
  return { issuer: expectTag(issuer, derTags.sequence), subject: expectTag(subject, derTags.sequence), extensions: parts.find(({ tag }) => tag === 0xa3) };
}

function readName(name: DerNode): CertificateIdentity['subject'] {
  return readInside(name, derTags.sequence).map((part) => readInside(part, derTags.set).map((attribute) => {
    const [type, value] = readInside(attribute, derTags.sequence);
    const oid = readOid(type);
    return { type: attributeNames[oid] ?? oid, value: readText(value) };
  }));
}

/** A text in whichever of ASN.1's alphabets it is in; in none, its bytes in hexadecimal after a `#`. */
function readText(node: DerNode | undefined): string {
  const content = node?.content ?? Buffer.alloc(0);
  switch (node?.tag) {
    case 0x0c: return content.toString('utf8');
    case 0x12: case 0x13: case 0x14: case 0x16: case 0x1a: return content.toString('latin1');
    case 0x1e: return Buffer.from(content.subarray(0, content.length & ~1)).swap16().toString('utf16le');
    default: return `#${content.toString('hex')}`;
  }
}

function readAlternativeNames(extensions: DerNode | undefined): string[] {
  if (extensions === undefined) return [];
  for (const extension of readInside(readDer(extensions.content)[0], derTags.sequence)) {
    const parts = readInside(extension, derTags.sequence);
    if (readOid(parts[0]) !== alternativeNamesOid) continue;
    const [names] = readDer(expectTag(parts.at(-1), derTags.octetString).content);
    return readInside(names, derTags.sequence).flatMap(formatAlternativeName);
  }
  return [];
}

/** One alternative name with its kind; those that nobody is known by are left out. */
function formatAlternativeName({ tag, content }: DerNode): string[] {
  switch (tag) {
    case 0x81: return [`email:${content.toString('latin1')}`];
    case 0x82: return [`DNS:${content.toString('latin1')}`];
    case 0x86: return [`URI:${content.toString('latin1')}`];
    case 0x87: return [`IP:${formatAddress(content)}`];
    default: return [];
  }
}

function formatAddress(bytes: Buffer): string {
  if (bytes.length !== 4 && bytes.length !== 16) return bytes.toString('hex');
  return numberToAddress(BigInt(`0x${bytes.toString('hex')}`), bytes.length === 4 ? 'ipv4' : 'ipv6');
}
