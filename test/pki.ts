/**
 * Lives here: a CA that can do everything a CA can do wrong: certificates of
 * any time, purpose and name, revocation, lists that have ended. Made for one
 * test, with openssl. Does not know: who uses them.
 */
import { execFile } from 'node:child_process';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** How a certificate is made; what is not given is as it should be. */
export interface Leaf {
  subject?: string;
  san?: string;
  /** `clientAuth`, `serverAuth`. */
  purpose?: string;
  /** From and to, as `20200101000000Z`. */
  from?: string;
  to?: string;
  /** It is its own CA. */
  selfSigned?: boolean;
  /** Which certificate of this folder signs it, if not the CA's; whoever shows it shows that one, and those above it, too. */
  signedBy?: string;
  /** What it may sign, as in `TRUE,pathlen:0`; nothing. */
  signs?: string;
  /** The digest that is signed. */
  digest?: string;
}

/** A CA in a folder. */
export interface Authority {
  folder: string;
  /** Makes NAME.pem and NAME-key.pem in a folder. */
  issue(name: string, leaf: Leaf, into?: string): Promise<void>;
  /** The CA takes back what it issued under a name. */
  revoke(name: string): Promise<void>;
  /** Writes a revocation list of all that is revoked by now. */
  list(path: string, times?: { from?: string; to?: string }): Promise<void>;
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-utf8'];

/** Makes a CA. */
export async function openAuthority(folder: string, name = 'ca'): Promise<Authority> {
  const openssl = async (...argv: string[]) => promisify(execFile)('openssl', argv, { cwd: folder });
  await mkdir(folder, { recursive: true });
  await Promise.all([writeFile(join(folder, 'index.txt'), ''), writeFile(join(folder, 'serial'), '1000\n'), writeFile(join(folder, 'crlnumber'), '01\n')]);
  await writeFile(join(folder, 'ca.cnf'), `[ca]
default_ca = here
[here]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
certificate = ca.pem
private_key = ca-key.pem
default_md = sha256
policy = any
unique_subject = no
default_days = 2
default_crl_days = 2
[any]
`);
  await openssl('req', '-x509', ...newKey, '-days', '2', '-keyout', 'ca-key.pem', '-out', 'ca.pem', '-subj', `/CN=${name}`);
  return {
    folder,
    issue: async (leaf, { subject = `/CN=${leaf}`, san, purpose, from, to, selfSigned = false, signedBy, signs = 'FALSE', digest = 'sha256' }, into = folder) => {
      const [key, certificate, request, extensions] = ['-key.pem', '.pem', '.csr', '.ext'].map((end) => join(into, leaf + end));
      await writeFile(extensions!, [`basicConstraints=CA:${signs}`, ...(san === undefined ? [] : [`subjectAltName=${san}`]),
        ...(purpose === undefined ? [] : [`extendedKeyUsage=${purpose}`])].join('\n') + '\n');
      if (selfSigned) {
        await openssl('req', '-x509', ...newKey, '-days', '2', '-keyout', key!, '-out', certificate!, '-subj', subject);
        return;
      }
      await openssl('req', ...newKey, '-keyout', key!, '-out', request!, '-subj', subject);
      if (signedBy !== undefined) {
        const [signer, signerKey] = ['.pem', '-key.pem'].map((end) => join(folder, signedBy + end));
        await openssl('x509', '-req', '-days', '2', `-${digest}`, '-in', request!, '-CA', signer!, '-CAkey', signerKey!, '-CAcreateserial', '-extfile', extensions!, '-out', certificate!);
        await appendFile(certificate!, await readFile(signer!));
        return;
      }
      // A policy that names nothing would drop the whole subject.
      await openssl('ca', '-batch', '-notext', '-preserveDN', '-config', 'ca.cnf', '-policy', 'any', '-md', digest, '-in', request!, '-out', certificate!, '-extfile', extensions!,
        ...(from === undefined ? [] : ['-startdate', from]), ...(to === undefined ? [] : ['-enddate', to]));
    },
    revoke: async (leaf) => { await openssl('ca', '-config', 'ca.cnf', '-revoke', `${leaf}.pem`); },
    list: async (path, { from, to } = {}) => {
      await openssl('ca', '-gencrl', '-config', 'ca.cnf', '-out', path,
        ...(from === undefined ? [] : ['-crl_lastupdate', from]), ...(to === undefined ? [] : ['-crl_nextupdate', to]));
    },
  };
}
