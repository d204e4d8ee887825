/**
 * Lives here: the name servers that networks pass questions on to: read from
 * the host's resolv.conf, written to the file that every dnsmasq reads, kept
 * the same as long as the daemon runs. Does not know: networks.
 */
import { readFile } from 'node:fs/promises';
import { canonicalAddress } from '../../../shared/address.js';
import type { Log } from '../../log.js';
import { replaceFile } from '../../files.js';
import { watchFile, type Watch } from './watch.js';

/**
 * The addresses after `nameserver` in a resolv.conf, in their order. Other
 * lines, and what is no address, are passed over, as the resolver does.
 */
export function parseResolvConf(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [, address = '', zone] = /^nameserver\s+([0-9a-fA-F.:]+)(%[A-Za-z0-9_.-]{1,15})?(?:\s|$)/.exec(line) ?? [];
    const parsed = canonicalAddress(address);
    return parsed === undefined ? [] : [parsed.address + (zone ?? '')];
  });
}

/** The servers as dnsmasq reads them from a servers-file. */
export function renderServers(addresses: readonly string[]): string {
  return [...new Set(addresses)].map((address) => `server=${address}\n`).join('');
}

/**
 * Writes the servers file, now and whenever resolv.conf changes.
 *
 * @param changed called after the file has other content than before
 */
export async function openUpstream(resolvConf: string, serversFile: string, log: Log, changed: () => Promise<void>): Promise<Watch> {
  const update = async (): Promise<void> => {
    const servers = parseResolvConf(await readFile(resolvConf, 'utf8').catch(() => ''));
    const text = renderServers(servers);
    if (await readFile(serversFile, 'utf8').catch(() => undefined) === text) return;
    await replaceFile(serversFile, text, 0o644);
    log.info({ servers, from: resolvConf }, 'upstream name servers');
    await changed();
  };
  const watching = await watchFile(resolvConf, () => update().catch((error: unknown) => {
    log.error({ err: error, file: resolvConf }, 'the upstream name servers could not be updated');
  }));
  await update();
  return watching;
}
