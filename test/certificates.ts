/**
 * Lives here: a CA and certificates made for one test, with openssl. Does not
 * know: who uses them.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const openssl = async (folder: string, ...argv: string[]) => promisify(execFile)('openssl', argv, { cwd: folder });

/** Makes ca.pem in a folder, and NAME.pem with NAME-key.pem for each name. */
export async function makeCertificates(folder: string, names: Record<string, { subject: string; san?: string; ca?: string }>, ca = 'ca'): Promise<void> {
  await openssl(folder, 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-keyout', `${ca}-key.pem`, '-out', `${ca}.pem`, '-subj', `/CN=${ca}`);
  for (const [name, { subject, san }] of Object.entries(names)) {
    await writeFile(join(folder, `${name}.ext`), san === undefined ? 'basicConstraints=CA:FALSE\n' : `basicConstraints=CA:FALSE\nsubjectAltName=${san}\n`);
    await openssl(folder, 'req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
      '-keyout', `${name}-key.pem`, '-out', `${name}.csr`, '-subj', subject);
    await openssl(folder, 'x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.pem`, '-CAkey', `${ca}-key.pem`, '-CAcreateserial',
      '-days', '2', '-out', `${name}.pem`, '-extfile', `${name}.ext`);
  }
}
