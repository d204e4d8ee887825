/**
 * Lives here: the kernel's settings that a network needs, under /proc/sys.
 * Does not know: when they are needed, and who needed them before.
 *
 * They are the kernel's memory, which takes no time: other threads would only
 * be in the way where hundreds of networks start.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { step } from '../step.js';
import { safeInterface } from './safe-text.js';

const root = '/proc/sys/net/';

/**
 * Sets a key such as `ipv4/ip_forward`, if it has another value.
 *
 * @returns false if the kernel has no such key
 * @throws {NetworkError} SYSTEM_ERROR if it cannot be written
 */
export async function setSysctl(key: string, value: string): Promise<boolean> {
  const path = root + key;
  try {
    if (readFileSync(path, 'utf8').trim() === value) return true;
    writeSysctl(key, value);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot write '${value}' to ${path}: ${(error as Error).message}`, {
      hint: 'the daemon must be root, and /proc/sys writable', cause: error,
    });
  }
}

/** Sets a key whatever it was. @throws what the system says */
export function writeSysctl(key: string, value: string): void {
  step(`set ${key} to ${value}`);
  writeFileSync(root + key, value);
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

/** The value of a key such as `ipv4/ip_forward`; empty if the kernel has no such key. */
export async function readSysctl(key: string): Promise<string> {
  try {
    return readFileSync(root + key, 'utf8').trim();
  } catch {
    return '';
  }
}
