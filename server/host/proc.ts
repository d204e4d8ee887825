/**
 * Lives here: what /proc/net tells of interfaces and routes. It follows the
 * namespace of this process; /sys may show another's. Does not know: what is
 * done with it.
 */
import { readFile } from 'node:fs/promises';
import { addressToNumber, formatSubnet, netmaskToPrefix, numberToAddress } from '../../shared/address.js';
import type { Observation } from '../driver/host.js';
import { openShared } from './gather.js';

/** A subnet, and the interface it is reached through. */
export type Route = Observation['routes'][number];

/** Flags of /proc/net/ipv6_route, from linux/route.h and linux/ipv6_route.h. */
const flags = { reject: 0x200, autoconf: 0x40000, anycast: 0x100000, local: 0x80000000 };

/** The names of the interfaces of this namespace; one read for all who ask at about the same time. They get the same list. */
export const readInterfaces: () => Promise<string[]> = openShared(async () => parseInterfaces(await readFile('/proc/net/dev', 'utf8')));

/** The routes of this namespace but the default ones, both families. */
export async function readRoutes(): Promise<Route[]> {
  const [ipv4, ipv6] = await Promise.all([readFile('/proc/net/route', 'utf8'), readIpv6Routes()]);
  return [...parseIpv4Routes(ipv4), ...parseIpv6Routes(ipv6)];
}

/** The interfaces of this namespace's default routes. */
export async function readDefaultRoutes(): Promise<{ family: 'ipv4' | 'ipv6'; interface: string }[]> {
  const [ipv4, ipv6] = await Promise.all([readFile('/proc/net/route', 'utf8'), readIpv6Routes()]);
  const older = lines(ipv4).slice(1).filter(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000').map(([device = '']) => ({ family: 'ipv4' as const, device }));
  const newer = lines(ipv6).filter((fields) => fields[1] === '00' && (Number.parseInt(fields[8] ?? '', 16) & flags.reject) === 0).map((fields) => ({ family: 'ipv6' as const, device: fields[9] ?? '' }));
  return [...older, ...newer].filter(({ device }) => device !== '*' && device !== 'lo').map(({ family, device }) => ({ family, interface: device }));
}

/**
 * The interfaces that have routes from router advertisements. The kernel
 * drops those when the host begins to forward IPv6, unless accept_ra is 2.
 */
export async function readAutoconfInterfaces(): Promise<string[]> {
  const found = lines(await readIpv6Routes()).filter(([, , , , , , , , flag = '0']) => (Number.parseInt(flag, 16) & flags.autoconf) !== 0);
  return [...new Set(found.map((fields) => fields[9] ?? ''))];
}

/** Empty where the kernel has no IPv6. */
function readIpv6Routes(): Promise<string> {
  return readFile('/proc/net/ipv6_route', 'utf8').catch(() => '');
}

/** The names in /proc/net/dev: two lines of heading, then `  name: numbers`. */
export function parseInterfaces(text: string): string[] {
  return text.split('\n').slice(2).map((line) => line.slice(0, line.lastIndexOf(':')).trim()).filter((name) => name !== '');
}

/** The routes in /proc/net/route, whose numbers are hexadecimal in the byte order of the machine. */
export function parseIpv4Routes(text: string): Route[] {
  return lines(text).slice(1).flatMap(([device = '', destination = '', , , , , , mask = '']) => {
    const prefix = netmaskToPrefix(ipv4(mask));
    // Routes that lead nowhere have no interface.
    if (prefix === undefined || prefix === 0 || device === '*') return [];
    return [{ subnet: `${ipv4(destination)}/${prefix}`, interface: device }];
  });
}

function ipv4(hexadecimal: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(Number.parseInt(hexadecimal, 16));
  return numberToAddress(BigInt(bytes.readUInt32BE()), 'ipv4');
}

/**
 * The routes in /proc/net/ipv6_route but those every interface has: its own
 * addresses, its link-local subnet and multicast.
 */
export function parseIpv6Routes(text: string): Route[] {
  return lines(text).flatMap(([destination = '', prefix = '', , , , , , , flag = '', device = '']) => {
    const network = BigInt(`0x${destination}`);
    const length = Number.parseInt(prefix, 16);
    const passed = flags.reject | flags.anycast | flags.local;
    if (length === 0 || (Number.parseInt(flag, 16) & passed) !== 0 || device === 'lo') return [];
    if (lies(network, 'fe80::', 10) || lies(network, 'ff00::', 8)) return [];
    return [{ subnet: formatSubnet({ family: 'ipv6', network, prefix: length }), interface: device }];
  });
}

function lies(network: bigint, subnet: string, prefix: number): boolean {
  const shift = BigInt(128 - prefix);
  return network >> shift === addressToNumber(subnet) >> shift;
}

function lines(text: string): string[][] {
  return text.split('\n').filter((line) => line.trim() !== '').map((line) => line.trim().split(/\s+/));
}
