/**
 * Lives here: a certificate authority in a folder: made, asked for
 * certificates, listed, told to take one back. openssl signs; the folder can
 * be used with `openssl ca` as well. Does not know: how one asks.
 */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { access, chmod, copyFile, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { locked } from '../../shared/folder-lock.js';
import { runProgram } from '../program.js';
import { alternativeName, files, formatDate, lifetimeDays, mostDays, parseRevoked, renderConfig, validateName, type Kind } from './config.js';

/** A certificate that an authority has signed. */
export interface IssuedCertificate {
  name: string;
  kind: Kind;
  /** In hexadecimal, as openssl prints it. */
  serial: string;
  notBefore: Date;
  notAfter: Date;
  /** What it is good for: `DNS:host1, IP Address:192.0.2.1`; empty if nothing is said. */
  alternativeNames: string;
  state: 'valid' | 'expired' | 'revoked';
}

/** What a certificate is to be. */
export interface Wanted {
  kind: 'server' | 'client';
  name: string;
  /** Names beside its own that a server answers to, or that a client is known by. */
  alternativeNames: readonly string[];
  days?: number;
  /** Put its files into the authority's own folder, where this host's daemon and clients look for them. */
  here: boolean;
  /** Replace files that are there. */
  force: boolean;
}

/** Clocks differ: what is new holds since an hour ago. In milliseconds. */
const backdatedMs = 3_600_000;

const dayMs = 86_400_000;

/**
 * Makes an authority in a folder: `ca.pem`, `ca-key.pem`, and an empty list of
 * what was revoked, `crl.pem`.
 *
 * @throws {NetworkError} OPERATION_FAILED if there is one and `force` is not
 * set; SYSTEM_ERROR if the folder cannot be written to
 */
export async function createAuthority(folder: string, name: string, days = lifetimeDays.ca, force = false): Promise<X509Certificate> {
  validateName(name);
  validateDays(days);
  await mkdir(folder, { recursive: true, mode: 0o755 }).catch((error: Error) => {
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot make the folder ${folder}: ${error.message}`, { hint: 'as root, or in a folder of your own: --dir DIR', cause: error });
  });
  return locked(folder, async () => {
    for (const file of [files.certificate, files.key]) if (!force) await refuseOver(join(folder, file), 'everything that it signed would be void');
    return withWork(folder, async (work) => {
      await mkdir(join(work, files.issued), { mode: 0o755 });
      await writeFile(join(work, files.index), '');
      await writeFile(join(work, files.crlNumber), '01\n');
      await sign(work, work, 'ca', name, [], days);
      await rename(join(work, 'new.pem'), join(work, files.certificate));
      await rename(join(work, 'new-key.pem'), join(work, files.key));
      await revocationList(work, work, days);
      // The certificate comes last: with it, there is an authority.
      if (force) await rm(join(folder, files.issued), { recursive: true, force: true });
      for (const file of [files.issued, files.index, files.crlNumber, files.revoked, files.key, files.certificate]) await rename(join(work, file), join(folder, file));
      return readAuthority(folder);
    });
  });
}

/**
 * Issues a certificate: its folder has all that a daemon, or a client with
 * `?pkipath=`, wants: `ca.pem`, and `server.pem` with `server-key.pem` or
 * `client.pem` with `client-key.pem`.
 *
 * @returns the certificate, and the folder with its files
 * @throws {NetworkError} OPERATION_FAILED if its files are there and `force` is not set
 */
export async function issue(folder: string, { kind, name, alternativeNames, days, here, force }: Wanted): Promise<{ certificate: IssuedCertificate; folder: string }> {
  validateName(name);
  const names = [...new Set([...(kind === 'server' ? [alternativeName(name)] : []), ...alternativeNames.map(alternativeName)])];
  const authority = await readAuthority(folder);
  const lifetime = withinLife(authority, validateDays(days ?? lifetimeDays[kind]), days === undefined);
  const target = here ? folder : join(folder, `${kind}s`, name);
  return locked(folder, async () => {
    const own = [`${kind}.pem`, `${kind}-key.pem`];
    if (!force) for (const file of own) await refuseOver(join(target, file), 'whoever uses it would need the new one');
    return withWork(folder, async (work) => {
      const certificate = await sign(folder, work, kind, name, names, lifetime);
      await rename(join(work, 'new.pem'), join(work, own[0]!));
      await rename(join(work, 'new-key.pem'), join(work, own[1]!));
      if (!here) {
        await copyFile(join(folder, files.certificate), join(work, files.certificate));
        await mkdir(target, { recursive: true, mode: 0o755 });
        await chmod(target, 0o700);
      }
      for (const file of [...(here ? [] : [files.certificate]), own[1]!, own[0]!]) await rename(join(work, file), join(target, file));
      return { certificate: describe(certificate, new Set()), folder: target };
    });
  });
}

/** Everything that an authority has signed, itself first, then by name. */
export async function listIssued(folder: string): Promise<IssuedCertificate[]> {
  await readAuthority(folder);
  const revoked = parseRevoked(await readFile(join(folder, files.index), 'utf8'));
  const names = (await readdir(join(folder, files.issued))).filter((name) => name.endsWith('.pem'));
  const all = await Promise.all(names.map(async (name) => describe(new X509Certificate(await readFile(join(folder, files.issued, name))), revoked)));
  const rank = ({ kind, name, notAfter }: IssuedCertificate) => `${kind === 'ca' ? 0 : 1} ${name} ${notAfter.toISOString()}`;
  return all.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/**
 * Takes back what was issued under a name or serial, and writes `crl.pem`
 * anew. Daemons refuse it once they have that list.
 *
 * @param days how long the list holds: a daemon trusts no list that is older
 * @throws {NetworkError} INVALID_ARG if nothing valid goes by it
 */
export async function revoke(folder: string, nameOrSerial: string, days?: number): Promise<IssuedCertificate[]> {
  const authority = await readAuthority(folder);
  const lifetime = withinLife(authority, validateDays(days ?? lifetimeDays.ca), days === undefined);
  return locked(folder, async () => {
    const known = (await listIssued(folder)).filter(({ kind, name, serial }) => kind !== 'ca' && (name === nameOrSerial || serial === nameOrSerial.toUpperCase()));
    const wanted = known.filter(({ state }) => state !== 'revoked');
    if (wanted.length === 0) {
      throw new NetworkError(ErrorCode.INVALID_ARG, known.length > 0 ? `'${nameOrSerial}' is revoked already` : `no certificate with the name or serial '${nameOrSerial}' was issued`, { hint: 'vnet pki list shows them' });
    }
    return withWork(folder, async (work) => {
      await writeFile(join(work, 'openssl.cnf'), renderConfig('client', 'revocation', []));
      for (const { serial } of wanted) await openssl(folder, 'ca', '-config', join(work, 'openssl.cnf'), '-revoke', join(files.issued, `${serial}.pem`), '-batch');
      await revocationList(folder, work, lifetime);
      await rename(join(work, files.revoked), join(folder, files.revoked));
      return wanted.map((certificate) => ({ ...certificate, state: 'revoked' as const }));
    });
  });
}

/** Makes a key and has it signed: `new.pem`, `new-key.pem` in the work folder, and a copy among the issued ones. An authority signs itself. */
async function sign(folder: string, work: string, kind: Kind, name: string, alternativeNames: readonly string[], days: number): Promise<X509Certificate> {
  const [config, key, request, certificate] = ['openssl.cnf', 'new-key.pem', 'new.csr', 'new.pem'].map((file) => join(work, file)) as [string, string, string, string];
  await writeFile(config, renderConfig(kind, name, alternativeNames));
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  await openssl(folder, 'req', '-new', '-config', config, '-key', key, '-out', request);
  const now = Date.now();
  await openssl(folder, 'ca', '-batch', '-notext', '-config', config, '-extensions', 'extensions', '-in', request, '-out', certificate,
    '-startdate', formatDate(new Date(now - backdatedMs)), '-enddate', formatDate(new Date(now + days * dayMs)),
    ...(kind === 'ca' ? ['-selfsign', '-keyfile', key] : []));
  await chmod(certificate, 0o644);
  return new X509Certificate(await readFile(certificate));
}

/** Writes `crl.pem` into the work folder, from the index of the authority's. */
async function revocationList(folder: string, work: string, days: number): Promise<void> {
  const list = join(work, files.revoked);
  await openssl(folder, 'ca', '-gencrl', '-config', join(work, 'openssl.cnf'), '-crldays', String(days), '-out', list);
  await chmod(list, 0o644);
}

async function openssl(folder: string, ...argv: string[]): Promise<void> {
  await runProgram('openssl', argv, folder);
}

/** A folder for what is not finished, next to where it will be: nobody else's, and gone afterwards. */
async function withWork<T>(folder: string, work: (path: string) => Promise<T>): Promise<T> {
  const path = await mkdtemp(join(folder, '.new-'));
  try {
    return await work(path);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

/** @throws {NetworkError} SYSTEM_ERROR if there is no authority in the folder, or its key is not kept secret */
async function readAuthority(folder: string): Promise<X509Certificate> {
  const [certificate, key] = [join(folder, files.certificate), join(folder, files.key)];
  try {
    const { mode } = await stat(key);
    if ((mode & 0o077) !== 0) throw new NetworkError(ErrorCode.SYSTEM_ERROR, `others than its owner may read ${key}`, { hint: `chmod 600 ${key}; if anybody has read it: vnet pki init --force` });
    await access(join(folder, files.index));
    return new X509Certificate(await readFile(certificate));
  } catch (error) {
    if (error instanceof NetworkError) throw error;
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, `there is no authority in ${folder}: ${(error as Error).message}`, { hint: `make one: vnet pki init --dir ${folder}`, cause: error });
  }
}

function describe(certificate: X509Certificate, revoked: ReadonlySet<string>): IssuedCertificate {
  const [, name = ''] = /^CN=(.*)$/m.exec(certificate.subject) ?? [];
  const [notBefore, notAfter] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
  return {
    name, serial: certificate.serialNumber, notBefore, notAfter, alternativeNames: certificate.subjectAltName ?? '',
    kind: certificate.ca ? 'ca' : certificate.keyUsage?.includes('1.3.6.1.5.5.7.3.1') === true ? 'server' : 'client',
    state: revoked.has(certificate.serialNumber) ? 'revoked' : notAfter.getTime() < Date.now() ? 'expired' : 'valid',
  };
}

function validateDays(days: number): number {
  if (Number.isInteger(days) && days >= 1 && days <= mostDays) return days;
  throw new NetworkError(ErrorCode.INVALID_ARG, `a certificate can hold from 1 to ${mostDays} days`);
}

/** What outlives its authority is worth nothing: the default is shortened, a wish refused. */
function withinLife(authority: X509Certificate, days: number, shorten: boolean): number {
  const left = Math.floor((new Date(authority.validTo).getTime() - Date.now()) / dayMs);
  if (left < 1) throw new NetworkError(ErrorCode.OPERATION_INVALID, `the authority has expired, or will within a day: ${authority.validTo}`, { hint: 'vnet pki init --force makes a new one, which everybody has to get' });
  if (days <= left) return days;
  if (shorten) return left;
  throw new NetworkError(ErrorCode.INVALID_ARG, `the authority itself ends in ${left} days`, { hint: `--days ${left}` });
}

async function refuseOver(path: string, why: string): Promise<void> {
  const there = await open(path).then(async (file) => { await file.close(); return true; }, (error: NodeJS.ErrnoException) => error.code !== 'ENOENT');
  if (there) throw new NetworkError(ErrorCode.OPERATION_FAILED, `${basename(path)} exists in ${dirname(path)}`, { hint: `with --force it is replaced; ${why}` });
}
