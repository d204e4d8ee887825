/**
 * Lives here: whether the files that a client shows in TLS are there, fit
 * together and are good today. Does not know: the daemon, or how one connects.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { PkiFiles } from '../../shared/uri.js';
import type { Diagnosis } from '../diagnosis.js';

/** What the files hold, as far as it can be used. */
export interface OwnFiles {
  findings: Diagnosis[];
  ca?: Buffer;
  /** The first certificate of ca.pem. */
  authority?: X509Certificate;
  certificate?: X509Certificate;
  /** Certificate and key, if they belong together. */
  pair?: { cert: Buffer; key: Buffer };
}

const clientUsage = '1.3.6.1.5.5.7.3.2';
const dayMs = 86_400_000;

/** A certificate that ends this soon is worth a word, in days. */
const soonDays = 30;

/** Looks at a client's three files. */
export async function examineFiles(pki: PkiFiles): Promise<OwnFiles> {
  const findings: Diagnosis[] = [];
  const bytes = async (path: string, what: string): Promise<Buffer | undefined> => readFile(path).catch((error: NodeJS.ErrnoException) => {
    findings.push({
      severity: 'error', check: 'tls-files', message: `${what} ${path} cannot be read: ${error.code === 'ENOENT' ? 'there is no such file' : error.code === 'EACCES' ? 'permission denied' : error.message}`,
      advice: 'name the folder in the URI, ?pkipath=DIR; the authority makes one: vnet pki issue client NAME',
    });
    return undefined;
  });
  const parse = <T>(path: string, what: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch {
      findings.push({ severity: 'error', check: 'tls-files', message: `${path} holds no ${what} as PEM`, advice: `see what it is: head -n 1 ${path}` });
      return undefined;
    }
  };
  const [ca, cert, key] = [await bytes(pki.ca, 'the CA\'s certificate'), await bytes(pki.certificate, 'the client\'s certificate'), await bytes(pki.key, 'the client\'s key')];
  const authority = ca && parse(pki.ca, 'certificate', () => new X509Certificate(ca));
  const certificate = cert && parse(pki.certificate, 'certificate', () => new X509Certificate(cert));
  const privateKey = key && parse(pki.key, 'private key', () => createPrivateKey(key));
  if (key !== undefined) findings.push(...await examineRights(pki.key));
  if (certificate !== undefined) findings.push(...examineCertificate(certificate, pki, authority));
  const fits = certificate !== undefined && privateKey !== undefined && examinePair(certificate, privateKey, pki, findings);
  return { findings, ...(ca && authority ? { ca, authority } : {}), ...(certificate ? { certificate } : {}), ...(fits && cert && key ? { pair: { cert, key } } : {}) };
}

async function examineRights(path: string): Promise<Diagnosis[]> {
  const { mode } = await stat(path);
  return (mode & 0o077) === 0 ? [] : [{ severity: 'warning', check: 'tls-files', message: `others than its owner may read the key ${path}`, advice: `chmod 600 ${path}` }];
}

function examinePair(certificate: X509Certificate, key: KeyObject, pki: PkiFiles, findings: Diagnosis[]): boolean {
  if (certificate.checkPrivateKey(key)) return true;
  findings.push({
    severity: 'error', check: 'tls-key', message: `${pki.key} is not the key of ${pki.certificate}: they were made separately, or one of them was replaced`,
    advice: 'take both from one folder that vnet pki issue client made',
  });
  return false;
}

function examineCertificate(certificate: X509Certificate, { certificate: path, ca }: PkiFiles, authority: X509Certificate | undefined): Diagnosis[] {
  const findings = examineDates(certificate, `this client's certificate ${path}`, 'tls-client-certificate', 'client');
  const usage = certificate.keyUsage as string[] | undefined;
  if (usage !== undefined && !usage.includes(clientUsage)) {
    findings.push({ severity: 'error', check: 'tls-client-certificate', message: `${path} is not for clients: its extended key usage lacks clientAuth`, advice: 'vnet pki issue client NAME' });
  }
  if (authority !== undefined && !isSignedBy(certificate, authority)) {
    findings.push({
      severity: 'warning', check: 'tls-client-certificate', message: `${path} was signed by '${nameIn(certificate.issuer)}', not by the '${nameIn(authority.subject)}' of ${ca}: a daemon that trusts this CA alone refuses it`,
      advice: 'have it issued by the authority that the daemon trusts',
    });
  }
  return findings;
}

/** Whether a certificate holds today. The clock is a suspect. */
export function examineDates(certificate: X509Certificate, what: string, check: string, kind: 'server' | 'client' | 'ca'): Diagnosis[] {
  const [from, to, now] = [new Date(certificate.validFrom), new Date(certificate.validTo), new Date()];
  const clock = `this machine's clock says ${now.toISOString().slice(0, 16)}Z`;
  const renew = kind === 'ca' ? 'a new authority: vnet pki init --force' : `a new one: vnet pki issue ${kind} '${nameIn(certificate.subject)}' --force`;
  if (to < now) {
    return [{ severity: 'error', check, message: `${what} expired on ${to.toISOString().slice(0, 16)}Z; ${clock}`, advice: `if the clock is right, ${renew}; if it is not: timedatectl set-ntp true` }];
  }
  if (from > now) {
    return [{ severity: 'error', check, message: `${what} holds only from ${from.toISOString().slice(0, 16)}Z; ${clock}`, advice: 'most likely a clock is wrong, here or where it was made: timedatectl set-ntp true' }];
  }
  const days = Math.floor((to.getTime() - now.getTime()) / dayMs);
  return days >= soonDays ? [] : [{ severity: 'warning', check, message: `${what} ends in ${days} days, on ${to.toISOString().slice(0, 10)}`, advice: renew }];
}

/** Whether one certificate signed another: by name and by key. */
export function isSignedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

/** The common name in a subject or issuer; all of it if there is none. */
export function nameIn(subject: string): string {
  return /^CN=(.*)$/m.exec(subject)?.[1] ?? subject.replaceAll('\n', ', ');
}
