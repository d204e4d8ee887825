/**
 * Lives here: the files of TLS: reading them, and whether they fit together.
 * Does not know: handshakes, who is let in.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Config } from '../config.js';
import { namesOf } from './certificate.js';
import { readRevocationList, type RevocationList } from './revocation-list.js';

/** What the files say, once they fit together. */
export interface TlsFiles {
  /** What a handshake needs of them. */
  context: SecureContextOptions;
  authorities: readonly X509Certificate[];
  revoked: readonly RevocationList[];
  /** What is right but will let nobody in: over, or not yet begun. */
  untimely: readonly string[];
}

/** The purpose that a server's certificate must have, if it names any (RFC 5280). */
const serverPurpose = '1.3.6.1.5.5.7.3.1';

/** The files that a configuration names. */
export function tlsPaths({ certificate, key, ca, crl }: Config['tls']): string[] {
  return [certificate, key, ca, ...(crl === '' ? [] : [crl])];
}

/**
 * Reads the files that a configuration names.
 *
 * @throws Error naming the file that cannot be used, or does not go with the others
 */
export async function readTlsFiles(tls: Config['tls'], now = new Date()): Promise<TlsFiles> {
  // Without a CA of our own Node would trust every public one.
  const [ca, cert, key, crl] = await Promise.all([readText(tls.ca), readText(tls.certificate), readText(tls.key), tls.crl === '' ? '' : readText(tls.crl)]);
  await checkKeyFile(tls.key);
  const [own, ...chain] = certificatesIn(tls.certificate, cert);
  checkOwn(tls, own!, key);
  const authorities = certificatesIn(tls.ca, ca);
  for (const authority of authorities) {
    if (!authority.ca) throw new Error(`${tls.ca}: ${oneLine(authority.subject)} is no CA`);
  }
  const lists = tls.crl === '' ? [] : listsIn(tls.crl, crl, authorities);
  const context: SecureContextOptions = { ca, cert, key, ...(lists.length === 0 ? {} : { crl: lists.map(({ pem }) => pem) }) };
  try {
    createSecureContext(context);
  } catch (error) {
    throw new Error(`the TLS files cannot be used: ${(error as Error).message}`);
  }
  return {
    context, authorities, revoked: lists.map(({ list }) => list),
    untimely: [
      ...[own!, ...chain].flatMap((one) => outsideOf(tls.certificate, one, now)),
      ...authorities.flatMap((one) => outsideOf(tls.ca, one, now)),
      ...lists.flatMap(({ list }) => (list.nextUpdate !== undefined && list.nextUpdate <= now ? [`${tls.crl} ended ${list.nextUpdate.toISOString()}`] : [])),
      ...(tls.crl === '' ? [] : authorities.filter((one) => !lists.some(({ list }) => list.issuer.equals(namesOf(one).subject)))
        .map((one) => `${tls.crl} has no list of ${oneLine(one.subject)}`)),
    ],
  };
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'latin1').catch((error: Error) => { throw new Error(`cannot read TLS file: ${error.message}`); });
}

async function checkKeyFile(path: string): Promise<void> {
  if (((await stat(path)).mode & 0o007) !== 0) throw new Error(`${path}: everyone may read or write this key: chmod 600 ${path}`);
}

function checkOwn(tls: Config['tls'], own: X509Certificate, key: string): void {
  let fits: boolean;
  try {
    fits = own.checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    throw new Error(`${tls.key} holds no private key that can be used: ${(error as Error).message}`);
  }
  if (!fits) throw new Error(`${tls.key} is not the key of ${tls.certificate}`);
  if (own.keyUsage !== undefined && !own.keyUsage.includes(serverPurpose)) throw new Error(`${tls.certificate} is not for servers: its extended key usage lacks serverAuth`);
}

function certificatesIn(path: string, text: string): X509Certificate[] {
  const blocks = blocksIn(text, 'CERTIFICATE');
  if (blocks.length === 0) throw new Error(`${path} holds no whole certificate in PEM form`);
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new Error(`${path}: ${(error as Error).message}`);
    }
  });
}

/** Every list, each proven to be of one of these CAs. */
function listsIn(path: string, text: string, authorities: readonly X509Certificate[]): { pem: string; list: RevocationList }[] {
  const blocks = blocksIn(text, 'X509 CRL');
  if (blocks.length === 0) throw new Error(`${path} holds no whole revocation list in PEM form`);
  return blocks.map((pem) => {
    let list: RevocationList;
    try {
      list = readRevocationList(Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64'));
    } catch (error) {
      throw new Error(`${path}: ${(error as Error).message}`);
    }
    const named = authorities.filter((one) => namesOf(one).subject.equals(list.issuer));
    if (named.length === 0) throw new Error(`${path}: none of the CAs in use made this list`);
    if (named.every((one) => list.isSignedBy(one) === false)) throw new Error(`${path}: its signature is not its CA's`);
    return { pem, list };
  });
}

function blocksIn(text: string, kind: string): string[] {
  return text.match(new RegExp(`-----BEGIN ${kind}-----[^-]+-----END ${kind}-----`, 'g')) ?? [];
}

function outsideOf(path: string, { validFrom, validTo, subject }: X509Certificate, now: Date): string[] {
  if (now < new Date(validFrom)) return [`${path}: ${oneLine(subject)} does not begin before ${validFrom}`];
  return now > new Date(validTo) ? [`${path}: ${oneLine(subject)} ended ${validTo}`] : [];
}

function oneLine(subject: string): string {
  return subject.replaceAll('\n', ', ');
}
