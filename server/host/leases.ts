/**
 * Lives here: reading dnsmasq's file of leases. Does not know: who asks.
 *
 * A line is `expiry mac address hostname client-id`, where `*` stands for
 * nothing. After a line `duid SERVER-DUID` they are of DHCPv6:
 * `expiry iaid address hostname duid`. dnsmasq writes the file over in place,
 * so its end may be torn.
 */
import { open } from 'node:fs/promises';
import { canonicalAddress, canonicalMac } from '../../shared/address.js';
import type { HostLease } from '../driver/host.js';

/** The most that is read, in bytes: 65,536 leases of a hundred bytes each, and as much again. */
const largestFile = 16 * 1024 * 1024;

/** The leases in a file that have not expired; none if there is no file. */
export async function readLeases(path: string, nowSeconds: number = Date.now() / 1000): Promise<HostLease[]> {
  return parseLeases(await readStart(path)).filter(({ expiry }) => expiry === 0 || expiry > nowSeconds);
}

/** A file's whole lines, empty if there is no file; `torn` if it looks as if it were just being written. */
export async function readLeaseFile(path: string): Promise<{ text: string; torn: boolean }> {
  const text = await readStart(path);
  return { text: text.slice(0, text.lastIndexOf('\n') + 1), torn: !text.endsWith('\n') };
}

/** The DUID of the server that writes a file; undefined if it gives out no DHCPv6 leases. */
export function parseServerDuid(text: string): string | undefined {
  return /^duid ((?:[0-9a-f]{2}:)+[0-9a-f]{2})$/im.exec(text)?.[1];
}

/** The leases in a text, expired ones too. A line that is no lease is passed over. */
export function parseLeases(text: string): HostLease[] {
  const leases = new Map<string, HostLease>();
  let ipv6 = false;
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    if (fields[0] === 'duid') ipv6 = true;
    const lease = fields.length === 5 ? parseLease(fields, ipv6) : undefined;
    if (lease !== undefined) leases.set(lease.address, lease);
  }
  return [...leases.values()];
}

function parseLease([expiry = '', client = '', address = '', hostname = '', id = '']: string[], ipv6: boolean): HostLease | undefined {
  const parsed = canonicalAddress(address);
  const family = ipv6 ? 'ipv6' : 'ipv4';
  if (!/^\d{1,12}$/.test(expiry) || parsed?.family !== family || client === '' || id === '') return undefined;
  // Hardware other than ethernet has its number in front; a temporary DHCPv6 address has a T.
  const mac = canonicalMac(ipv6 ? ethernetOf(id) : client.replace(/^[0-9a-f]{2}-/i, ''));
  return {
    expiry: Number(expiry), family, address: parsed.address,
    ...(mac === undefined ? {} : { mac }),
    ...(ipv6 ? { iaid: client.replace(/^T/, '') } : {}),
    ...(hostname === '*' || hostname === '' ? {} : { hostname }),
    ...(id === '*' ? {} : { clientId: id }),
  };
}

/** The MAC address in a DUID that was made from one (RFC 8415, types 1 and 3, ethernet); else empty. */
function ethernetOf(duid: string): string {
  return /^00:(?:01:00:01(?::[0-9a-f]{2}){4}|03:00:01):((?:[0-9a-f]{2}:){5}[0-9a-f]{2})$/i.exec(duid)?.[1] ?? '';
}

async function readStart(path: string): Promise<string> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, largestFile)), 0, Math.min(size, largestFile), 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
