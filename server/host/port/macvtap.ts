/**
 * Lives here: devices over one of the LAN's, by which a guest is on the LAN
 * itself: macvtap for a guest that QEMU runs, macvlan for one in a network
 * namespace. Does not know: which of the LAN's devices are free.
 */
import { chmod, chown, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { accountIds, groupId } from '../../accounts.js';
import type { Plug, PortAttachment, PortPlan } from '../../driver/host.js';
import { step } from '../../step.js';
import type { Commands } from '../command.js';
import { safeInterface, safeMac, safeNumber } from '../safe-text.js';
import { markOf, type Device } from './device.js';
import { mostQueues } from './tap.js';
import { netnsPath } from './veth.js';

type Direct = Extract<Plug, { type: 'direct' }>;
type Attachment<T> = Extract<PortAttachment, { type: T }>;

/** The kernel's word for libvirt's. */
const modes = { bridge: 'bridge', private: 'private', vepa: 'vepa', passthrough: 'passthru' } as const;

/** The lines of `ip -batch` that make a macvtap, down and marked. */
export function renderMacvtap(port: PortPlan, direct: Direct, { device, queues }: Attachment<'tap'>): string[][] {
  const count = safeNumber(queues, 1, mostQueues);
  return renderOver('macvtap', port, direct, device, count === '1' ? [] : ['numtxqueues', count, 'numrxqueues', count]);
}

/** The lines of `ip -batch` that make a macvlan, marked, and in its namespace and up. */
export function renderMacvlan(port: PortPlan, direct: Direct, attachment: Attachment<'veth'>): string[][] {
  const { device, guestDevice } = attachment;
  return [
    ...renderOver('macvlan', port, direct, device, []),
    ['link set dev', safeInterface(device), 'netns', netnsPath(port, attachment), 'name', safeInterface(guestDevice), 'up'],
  ];
}

function renderOver(kind: string, port: PortPlan, direct: Direct, device: string, queues: string[]): string[][] {
  const [name, below, mac] = [safeInterface(device), safeInterface(direct.device), safeMac(port.mac)];
  return [
    [
      'link add link', below, 'name', name, 'address', mac, ...(port.mtu === undefined ? [] : ['mtu', safeNumber(port.mtu, 68, 65535)]),
      ...queues, 'type', kind, 'mode', modes[direct.mode],
    ],
    ['link set dev', name, 'alias', markOf(port)],
    // With passthrough both have the device's own address at first. It gets that back from the kernel in the end.
    ...(direct.mode === 'passthrough' ? [['link set dev', below, 'up'], ['link set dev', name, 'address', mac]] : []),
  ];
}

/**
 * The lines that set a macvtap up. The host does not see which groups its
 * guest listens to, IPv6 neighbours among them, so all are let through.
 */
export function renderMacvtapUp(device: string): string[][] {
  return [['link set dev', safeInterface(device), 'allmulticast on up']];
}

/**
 * Gives the file by which QEMU opens a macvtap, /dev/tapN with the device's
 * index for N, to its owner.
 *
 * @param sysFolder where sysfs is: /sys
 * @throws {NetworkError} SYSTEM_ERROR if there is no such file, account or group
 */
export async function ownTapFile(commands: Commands, device: Device, { owner, group }: Attachment<'tap'>, sysFolder: string): Promise<void> {
  const path = `/dev/tap${device.index}`;
  await requireTapFile(path, device, sysFolder);
  if (owner === '' && group === '') return;
  // udev gives a new file to root when it hears of it: not after us.
  if (await stat('/run/udev/control').catch(() => undefined) !== undefined) {
    await commands.run('udevadm', ['settle', '--timeout=5'], {}).catch(() => undefined);
  }
  const ids = owner === '' ? { uid: 0, gid: 0 } : /^\d+$/.test(owner) ? { uid: Number(owner), gid: 0 } : await accountIds(owner);
  const gid = group === '' ? ids?.gid : /^\d+$/.test(group) ? Number(group) : await groupId(group);
  if (ids === undefined || gid === undefined) {
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, ids === undefined ? `there is no account '${owner}' on this host` : `there is no group '${group}' on this host`);
  }
  step(`own ${path}`);
  await chown(path, ids.uid, gid);
  await chmod(path, group === '' ? 0o600 : 0o660);
}

/** Checks that the file is that of this device: other network namespaces have devices of the same index. */
async function requireTapFile(path: string, { name, index }: Device, sysFolder: string): Promise<void> {
  const file = await stat(path).catch(() => undefined);
  const numbers = (await readFile(join(sysFolder, `class/net/${safeInterface(name)}/macvtap/tap${index}/dev`), 'utf8').catch(() => '')).trim();
  if (file?.isCharacterDevice() === true && numbers === numbersOf(file.rdev)) return;
  throw new NetworkError(ErrorCode.SYSTEM_ERROR, `the kernel made macvtap '${name}', but ${path} is not its file`, {
    hint: '/dev must be a devtmpfs or have udev, and /sys show the network namespace of the daemon',
  });
}

/** Major and minor number of a device file, as sysfs writes them: `246:1`. */
function numbersOf(rdev: number): string {
  return `${(rdev >>> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >>> 12) & 0xfff00)}`;
}
