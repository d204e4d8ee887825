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

/** Writes the access table of a daemon. Who comes by TLS may do nothing unless it is listed: by default, here, everyone is. */
export async function writeAccess(root: string, toml = '[[allow]]\nlistener = "tls"\nrights = "all"\n'): Promise<void> {
  await mkdir(join(root, 'etc/vnet'), { recursive: true });
  await writeFile(join(root, 'etc/vnet/access.toml'), toml, { mode: 0o600 });
}

/**
 * Starts a daemon with unix, TCP and TLS sockets on free ports.
 *
 * @param address where TCP and TLS listen
 * @param more further lines of its configuration
 * @param tls further lines of its table [tls]
 * @param access its access table; if undefined, who comes by TLS may do everything with networks
 * @param level how much it logs
 * @param prepare what to do with its root folder before it starts
 * @param parent where its root folder is to be
 * @param timeoutMs how long its start may take
 */
export async function openServing(
  driver: 'host' | 'test',
  options: {
    address?: string; more?: string; tls?: string; access?: string; command?: string[]; level?: string; prepare?: (root: string) => Promise<void>; parent?: string; timeoutMs?: number;
  } = {},
): Promise<Serving> {
  const { address = '127.0.0.1', more = '', tls: moreTls = '', command, level = 'debug', prepare, parent, timeoutMs } = options;
  const folder = await openFolder(parent);
  await prepare?.(folder.path);
  const pki = join(folder.path, 'pki');
  await mkdir(pki);
  await makeCertificates(pki, {
    server: { subject: '/CN=server', san: `DNS:localhost,IP:127.0.0.1,IP:${address}` }, client: { subject: '/CN=client' },
  });
  await writeAccess(folder.path, options.access);
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
${moreTls}
[log]
level = "${level}"
`);
  const daemon = await startDaemon(['--root', folder.path, '--driver', driver, '--config', config], command, timeoutMs);
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
