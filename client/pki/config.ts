/**
 * Lives here: what openssl reads to sign: its configuration, and what stands
 * in each kind of certificate. Pure text; every value that reaches it is
 * checked here. Does not know: files, openssl.
 */
import { isIP } from 'node:net';
import { ErrorCode, NetworkError } from '../../shared/errors.js';

/** What a certificate is for. */
export type Kind = 'ca' | 'server' | 'client';

/** The folder's files, seen from the folder: no path of a person's choosing stands in a configuration. */
export const files = {
  certificate: 'ca.pem', key: 'ca-key.pem', revoked: 'crl.pem', index: 'index.txt', crlNumber: 'crlnumber', issued: 'issued',
} as const;

/** How long certificates hold unless said, in days. */
export const lifetimeDays: Record<Kind, number> = { ca: 3650, server: 825, client: 825 };

/** The most a certificate may hold, in days: beyond 2049 openssl writes dates in another form. */
export const mostDays = 7300;

const usages: Record<Kind, readonly string[]> = {
  ca: ['basicConstraints = critical, CA:TRUE, pathlen:0', 'keyUsage = critical, keyCertSign, cRLSign'],
  server: ['basicConstraints = critical, CA:FALSE', 'keyUsage = critical, digitalSignature', 'extendedKeyUsage = serverAuth'],
  client: ['basicConstraints = critical, CA:FALSE', 'keyUsage = critical, digitalSignature', 'extendedKeyUsage = clientAuth'],
};

/**
 * Renders openssl's configuration for one signature.
 *
 * @param names what the certificate is good for, as {@link alternativeName} gives them
 */
export function renderConfig(kind: Kind, commonName: string, names: readonly string[]): string {
  return [
    '[req]', 'distinguished_name = subject', 'prompt = no', 'string_mask = utf8only',
    '[subject]', `CN = ${validateName(commonName)}`,
    '[ca]', 'default_ca = authority',
    '[authority]', `database = ${files.index}`, `new_certs_dir = ${files.issued}`, `certificate = ${files.certificate}`, `private_key = ${files.key}`,
    'rand_serial = yes', `crlnumber = ${files.crlNumber}`, 'crl_extensions = revoked', 'default_md = sha256', 'default_crl_days = 1', 'policy = policy', 'unique_subject = no', 'copy_extensions = none',
    '[policy]', 'commonName = supplied',
    '[revoked]', 'authorityKeyIdentifier = keyid',
    '[extensions]', ...usages[kind], 'subjectKeyIdentifier = hash', ...(kind === 'ca' ? [] : ['authorityKeyIdentifier = keyid']),
    ...(names.length === 0 ? [] : [`subjectAltName = ${names.join(', ')}`]),
  ].map((line) => `${line}\n`).join('');
}

/** A name of an authority, a host or a person. @throws {NetworkError} INVALID_ARG if it could mean something else to openssl or in a path */
export function validateName(name: string): string {
  if (/^[A-Za-z0-9]([A-Za-z0-9 _.@:-]*[A-Za-z0-9])?$/.test(name) && name.length <= 64 && !name.includes('..')) return name;
  throw new NetworkError(ErrorCode.INVALID_ARG, `'${name}' cannot be the name in a certificate`, {
    hint: 'up to 64 letters, digits, blanks and signs _ . @ : - with a letter or digit at either end',
  });
}

/**
 * What a certificate is good for, as openssl spells it: `DNS:host`, `IP:192.0.2.1`, `email:...`, `URI:...`.
 *
 * @throws {NetworkError} INVALID_ARG
 */
export function alternativeName(text: string): string {
  if (isIP(text) !== 0) return `IP:${text}`;
  if (/^[a-z][a-z0-9+.-]*:[A-Za-z0-9:/._~@%-]+$/.test(text)) return `URI:${text}`;
  if (/^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$/.test(text)) return `email:${text}`;
  if (/^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/.test(text) && text.length <= 253) return `DNS:${text}`;
  throw new NetworkError(ErrorCode.INVALID_ARG, `'${text}' is no name that a certificate can be good for`, { hint: 'a host name, an IP address, a URI or a mail address' });
}

/** A date as openssl's arguments have it: `20261125021500Z`. */
export function formatDate(date: Date): string {
  return `${date.toISOString().replace(/[-:T]|\.\d+Z/g, '')}Z`;
}

/** The serials of what was revoked, from openssl's index. */
export function parseRevoked(index: string): Set<string> {
  return new Set(index.split('\n').map((line) => line.split('\t')).filter(([state]) => state === 'R').map((fields) => fields[3] ?? ''));
}
