/**
 * Lives here: the kernel's settings that a network needs, under /proc/sys.
 * Does not know: when they are needed.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { readAutoconfInterfaces } from './proc.js';
import { safeInterface } from './safe-text.js';

const root = '/proc/sys/net/';

/**
 * Sets a key such as `ipv4/ip_forward`, if it has another value.
 *
 * @returns false if the kernel has no such key
 * @throws {NetworkError} SYSTEM_ERROR if it cannot be written
 */
async function setSysctl(key: string, value: string): Promise<boolean> {
  const path = root + key;
  try {
    if ((await readFile(path, 'utf8')).trim() === value) return true;
    await writeFile(path, value);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot write '${value}' to ${path}: ${(error as Error).message}`, {
      hint: 'the daemon must be root, and /proc/sys writable', cause: error,
    });
  }
}

/**
 * Turns IPv6 on or off on a bridge, and makes it listen to no router: a guest
 * must not be able to give the host a route.
 */
export async function setBridgeIpv6(bridge: string, enabled: boolean): Promise<void> {
  const keys = `ipv6/conf/${safeInterface(bridge)}`;
  // A kernel without IPv6 has none of these. If the network needs IPv6, setting the address says so.
  if (!await setSysctl(`${keys}/disable_ipv6`, enabled ? '0' : '1')) return;
  await Promise.all([setSysctl(`${keys}/accept_ra`, '0'), setSysctl(`${keys}/autoconf`, '0')]);
}

/** Turns IPv6 off on the host's end of a guest's device: the host is on the bridge, not there. */
export async function silenceDevice(device: string): Promise<void> {
  await setSysctl(`ipv6/conf/${safeInterface(device)}/disable_ipv6`, '1');
}

/** Lets the host forward packets of these families. It stays so. */
export async function enableForwarding({ ipv4, ipv6 }: { ipv4: boolean; ipv6: boolean }): Promise<void> {
  if (ipv4) await setSysctl('ipv4/ip_forward', '1');
  if (ipv6) await setSysctl('ipv6/conf/all/forwarding', '1');
}

/**
 * Refuses to forward IPv6 where that costs the host the routes it has from
 * router advertisements: with forwarding on, the kernel takes those only from
 * interfaces whose accept_ra is 2.
 *
 * @throws {NetworkError} INTERNAL_ERROR naming the interface
 */
export async function refuseRouteLoss(): Promise<void> {
  if (await read('ipv6/conf/all/forwarding') === '1') return;
  for (const device of await readAutoconfInterfaces()) {
    if (await read(`ipv6/conf/${device}/accept_ra`) === '2') continue;
    throw new NetworkError(ErrorCode.INTERNAL_ERROR,
      `interface ${device} has IPv6 routes from router advertisements, which the kernel drops when it begins to forward IPv6`, {
        hint: `keep them with: sysctl net.ipv6.conf.${device}.accept_ra=2`,
      });
  }
}

async function read(key: string): Promise<string> {
  return (await readFile(root + key, 'utf8').catch(() => '')).trim();
}
