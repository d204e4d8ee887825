/**
 * Lives here: a pair of devices of which one end is the guest's, in a network
 * namespace: what a container has. Does not know: what the other end is
 * plugged into.
 *
 * The guest's end is up: so is what container tools make (CNI's bridge plug-in,
 * Docker), and a guest that configures it by itself does not mind.
 */
import { access } from 'node:fs/promises';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import type { PortAttachment, PortPlan } from '../../driver/host.js';
import { safeInterface, safeMac, safeNumber, uuidDigits } from '../safe-text.js';
import { markOf, refuse } from './device.js';
import { hostMac } from './tap.js';

type Veth = Extract<PortAttachment, { type: 'veth' }>;

const namedFolder = '/run/netns';

/**
 * The file of a network namespace: of a name that `ip netns` knows, or a path
 * such as /proc/4711/ns/net.
 *
 * @throws {NetworkError} CONFIG_UNSUPPORTED if it is neither
 */
export function netnsPath(port: PortPlan, { netns }: Veth): string {
  if (/^(\/[A-Za-z0-9_.:@-]+)+$/.test(netns)) return netns;
  if (/^[A-Za-z0-9_:@-][A-Za-z0-9_.:@-]*$/.test(netns)) return `${namedFolder}/${netns}`;
  throw refuse(port, `${JSON.stringify(netns)} is neither the name nor the absolute path of a network namespace`, 'see the names with: ip netns list');
}

/** Whether a network namespace is there. */
export function hasNetns(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

/** @throws {NetworkError} SYSTEM_ERROR if there is no such network namespace */
export async function requireNetns(port: PortPlan, path: string): Promise<void> {
  if (await hasNetns(path)) return;
  throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot plug '${port.owner}' in: there is no network namespace ${path}`, {
    hint: path.startsWith(`${namedFolder}/`) ? `make it with: ip netns add ${path.slice(namedFolder.length + 1)}` : 'is the guest that it belongs to running?',
  });
}

/** What the guest's end is called until it is where it belongs. */
export function guestEndOnTheWay({ uuid }: PortPlan): string {
  return safeInterface(`vnp${uuidDigits(uuid).slice(-12)}`);
}

/** The lines of `ip -batch` that make the pair: the host's end down and marked, the guest's in its namespace and up. */
export function renderVeth(port: PortPlan, attachment: Veth, mtu: number): string[][] {
  const name = safeInterface(attachment.device);
  const peer = guestEndOnTheWay(port);
  const size = safeNumber(mtu, 68, 65535);
  return [
    ['link add name', name, 'mtu', size, 'address', hostMac(port), 'type veth peer name', peer, 'mtu', size, 'address', safeMac(port.mac)],
    ['link set dev', name, 'alias', markOf(port)],
    ['link set dev', peer, 'alias', markOf(port)],
    ['link set dev', peer, 'netns', netnsPath(port, attachment), 'name', safeInterface(attachment.guestDevice), 'up'],
  ];
}
