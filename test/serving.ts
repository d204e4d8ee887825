/**
 * Lives here: a daemon that serves every transport at once, with certificates
 * of its own, and the URI of each. Does not know: what is asked of it.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCertificates } from './certificates.js';
import { openFolder, startDaemon, type Daemon } from './processes.js';

/** A daemon with all its sockets open. */
export interface Serving {
  daemon: Daemon;
  /** Its root folder. */
  root: string;
  /** Where its CA and certificates are. */
  pki: string;
  /** The URI for each way in. */
  uris: { unix: string; readonly: string; tcp: string; tls: string };
  close(): Promise<void>;
}

/**
 * Starts a daemon with unix, TCP and TLS sockets on free ports.
 *
 * @param address where TCP and TLS listen
 * @param more further lines of its configuration
 */
export async function openServing(driver: 'host' | 'test', options: { address?: string; more?: string; command?: string[] } = {}): Promise<Serving> {
  const { address = '127.0.0.1', more = '', command } = options;
  const folder = await openFolder();
  const pki = join(folder.path, 'pki');
  await mkdir(pki);
  await makeCertificates(pki, {
    server: { subject: '/CN=server', san: `DNS:localhost,IP:127.0.0.1,IP:${address}` }, client: { subject: '/CN=client' },
  });
  const config = join(folder.path, 'vnetd.toml');
  await writeFile(config, `${more}
[tcp]
enabled = true
address = "${address}"
port = 0
[tls]
enabled = true
address = "${address}"
port = 0
certificate = "${pki}/server.pem"
key = "${pki}/server-key.pem"
ca = "${pki}/ca.pem"
[log]
level = "debug"
`);
  const daemon = await startDaemon(['--root', folder.path, '--driver', driver, '--config', config], command, 30_000);
  const { unix = '', readonly = '', tcp = '', tls = '' } = daemon.uris;
  return {
    daemon, root: folder.path, pki,
    uris: { unix, readonly, tcp, tls: `${tls}?pkipath=${pki}` },
    close: async () => {
      await daemon.stop();
      await folder.close();
    },
  };
}
