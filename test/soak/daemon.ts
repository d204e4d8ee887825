/**
 * Lives here: the daemon of a soak, which is ended and started again on the
 * same sockets. Does not know: when, or why.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCertificates } from '../certificates.js';
import { startDaemon, type Daemon } from '../processes.js';
import { writeAccess } from '../serving.js';

/** A daemon that comes back. */
export interface SoakDaemon {
  /** The URI for each way in. */
  uris: { unix: string; tcp: string; tls: string };
  pid(): number;
  /** Ends it, and starts it again after a while. */
  restart(signal: 'SIGKILL' | 'SIGTERM', afterMs: number): Promise<void>;
  /** How often it was started. */
  starts(): number;
  /** Lines that it logged as errors, each with how often. */
  errors(): Map<string, number>;
  /** What it did unasked, in words. */
  faults: string[];
  stop(): Promise<void>;
}

/** Starts it. */
export async function openSoakDaemon(root: string): Promise<SoakDaemon> {
  const pki = join(root, 'pki');
  await mkdir(pki);
  await makeCertificates(pki, { server: { subject: '/CN=server', san: 'DNS:localhost,IP:127.0.0.1' }, client: { subject: '/CN=client' } });
  await writeAccess(root);
  const config = join(root, 'vnetd.toml');
  await writeFile(config, `[tcp]\nenabled = true\n[tls]\nenabled = true\ncertificate = "${pki}/server.pem"\nkey = "${pki}/server-key.pem"\nca = "${pki}/ca.pem"\n`);
  const faults: string[] = [];
  const errors = new Map<string, number>();
  let [starts, asked] = [0, false];
  let daemon: Daemon;
  const note = ({ log }: Daemon) => {
    for (const { level, msg } of log.splice(0)) if (Number(level) >= 50) errors.set(String(msg), (errors.get(String(msg)) ?? 0) + 1);
  };
  const start = async () => {
    asked = false;
    daemon = await startDaemon(['--root', root, '--config', config]);
    starts += 1;
    daemon.process.once('exit', (code, signal) => { if (!asked) faults.push(`vnetd ended by itself with ${code ?? signal}`); });
  };
  const stop = async (signal: NodeJS.Signals) => {
    asked = true;
    const code = await daemon.stop(signal);
    if (signal === 'SIGTERM' && code !== 0) faults.push(`vnetd ended with ${code} when it was asked to`);
    note(daemon);
  };
  await start();
  return {
    uris: { unix: daemon!.uris['unix']!, tcp: daemon!.uris['tcp']!, tls: `${daemon!.uris['tls']!}?pkipath=${pki}` },
    pid: () => daemon.process.pid!,
    restart: async (signal, afterMs) => {
      await stop(signal);
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      await start();
    },
    starts: () => starts, faults,
    errors: () => { note(daemon); return errors; },
    stop: () => stop('SIGTERM'),
  };
}
