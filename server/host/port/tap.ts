/**
 * Lives here: a tap, the device of a guest that QEMU runs. It is persistent:
 * QEMU opens it by its name, as often as it likes. Does not know: what it is
 * plugged into.
 */
import type { PortAttachment, PortPlan } from '../../driver/host.js';
import { safeAccount, safeInterface, safeMac, safeNumber } from '../safe-text.js';
import { markOf, refuse } from './device.js';

/** The most queues that a tap can have. */
export const mostQueues = 256;

/** The host's end of a guest's device has the guest's MAC address but for this first byte, as libvirt has it. */
const hostByte = 'fe';

/**
 * The MAC address of the host's end. It is higher than every guest's and every
 * card's, and a bridge without an address of its own takes the lowest: so the
 * bridge's never changes when guests come and go.
 *
 * @throws {NetworkError} CONFIG_UNSUPPORTED if the guest's would be the same
 */
export function hostMac(port: PortPlan): string {
  const mac = safeMac(port.mac);
  if (!mac.startsWith(`${hostByte}:`)) return hostByte + mac.slice(2);
  throw refuse(port, `its MAC address ${mac} begins with ${hostByte}, which the host's end has`, 'give it one that begins with 52:54:00');
}

/** The lines of `ip -batch` that make a tap, down and marked. */
export function renderTap(port: PortPlan, { device, owner, group, queues }: Extract<PortAttachment, { type: 'tap' }>, mtu: number): string[][] {
  const name = safeInterface(device);
  const many = Number(safeNumber(queues, 1, mostQueues)) > 1;
  return [
    [
      'tuntap add dev', name, 'mode tap', ...(owner === '' ? [] : ['user', safeAccount(owner)]),
      ...(group === '' ? [] : ['group', safeAccount(group)]), ...(many ? ['multi_queue'] : []),
    ],
    ['link set dev', name, 'alias', markOf(port)],
    ['link set dev', name, 'address', hostMac(port), 'mtu', safeNumber(mtu, 68, 65535)],
  ];
}
