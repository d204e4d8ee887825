/**
 * Lives here: how a device is plugged into a Linux bridge, and what it may do
 * there. Does not know: whose device it is, who made the bridge.
 */
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import type { Vlan } from '../../../shared/definition/index.js';
import type { NetworkPlan, PortPlan } from '../../driver/host.js';
import type { Commands } from '../command.js';
import { safeInterface, safeMac, safeNumber } from '../safe-text.js';
import { ipLines, readDevice, refuse, type Device } from './device.js';

/** A bridge as it is. */
export interface Bridge {
  name: string;
  /** In bytes. */
  mtu: number;
  /** Whether it keeps VLANs apart; undefined if the kernel cannot. */
  filtersVlans?: boolean;
  /** The VLAN that a new port is in; 0 for none. */
  defaultVlan: number;
}

/** Whether the bridge learns nothing and is told where guests are. */
export function isTold({ definition }: NetworkPlan): boolean {
  return definition.bridge?.macTableManager === 'libvirt';
}

/**
 * The bridge that a port is plugged into.
 *
 * @throws {NetworkError} SYSTEM_ERROR if there is none of that name;
 * CONFIG_UNSUPPORTED if it does not keep VLANs apart and the port is in one
 */
export async function requireBridge(commands: Commands, network: NetworkPlan, port: PortPlan, name: string): Promise<Bridge> {
  const device = await readDevice(commands, name);
  if (device?.kind !== 'bridge') {
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot plug '${port.owner}' into network '${network.name}': ${device === undefined ? `there is no bridge '${name}'` : `'${name}' is no bridge`}`, {
      hint: 'see bridges with: ip link show type bridge; one of Open vSwitch needs <virtualport type=\'openvswitch\'/>',
    });
  }
  const bridge = bridgeOf(device);
  if (port.vlan !== undefined) requireVlans(bridge, port, 'a VLAN');
  if (isTold(network)) requireVlans(bridge, port, "macTableManager='libvirt'");
  return bridge;
}

function bridgeOf({ name, mtu, facts }: Device): Bridge {
  const defaultVlan = facts['vlan_default_pvid'];
  // A kernel that cannot shows vlan_filtering all the same, but none of the rest.
  if (typeof defaultVlan !== 'number') return { name, mtu, defaultVlan: 0 };
  return { name, mtu, filtersVlans: facts['vlan_filtering'] === 1, defaultVlan };
}

/** @throws {NetworkError} CONFIG_UNSUPPORTED if the bridge does not keep VLANs apart */
function requireVlans({ name, filtersVlans }: Bridge, port: PortPlan, what: string): void {
  if (filtersVlans === undefined) {
    throw refuse(port, `${what} needs a kernel that filters VLANs on bridges, which this one does not`, 'it needs CONFIG_BRIDGE_VLAN_FILTERING');
  }
  if (!filtersVlans) throw refuse(port, `${what} needs a bridge that filters VLANs, and '${name}' does not`, `turn it on with: ip link set dev ${name} type bridge vlan_filtering 1`);
}

/** The lines of `ip -batch` that plug a device in, which is still down. */
export function renderPlug(network: NetworkPlan, port: PortPlan, bridge: Bridge, device: string): string[][] {
  const name = safeInterface(device);
  return [
    ['link set dev', name, 'master', safeInterface(bridge.name)],
    ['link set dev', name, 'type bridge_slave isolated', port.isolated ? 'on' : 'off', ...(isTold(network) ? ['learning off flood off'] : [])],
  ];
}

/** The lines that set it up. The bridge takes the lowest MTU of its ports unless it was told one: it keeps the one that it has. */
export function renderUp(bridge: Bridge, device: string): string[][] {
  return [
    ['link set dev', safeInterface(bridge.name), 'mtu', safeNumber(bridge.mtu, 68, 65535)],
    ['link set dev', safeInterface(device), 'up'],
  ];
}

/** The lines of `bridge -batch` that put a port into its VLANs, and tell the bridge where the guest is if it does not learn. */
export function renderTable(network: NetworkPlan, port: PortPlan, bridge: Bridge, device: string): string[][] {
  const name = safeInterface(device);
  return [
    ...(port.vlan === undefined ? [] : renderVlans(port.vlan, bridge.defaultVlan, name)),
    ...(isTold(network) ? [['fdb replace', safeMac(port.mac), 'dev', name, 'master static']] : []),
  ];
}

function renderVlans(vlan: Vlan, defaultVlan: number, name: string): string[][] {
  const trunk = vlan.trunk === true || vlan.tags.length > 1;
  return [
    ...(defaultVlan === 0 ? [] : [['vlan del dev', name, 'vid', safeNumber(defaultVlan, 1, 4094)]]),
    ...vlan.tags.map(({ id, nativeMode }) => {
      const untagged = trunk ? nativeMode === 'untagged' : nativeMode !== 'tagged';
      const native = !trunk || nativeMode !== undefined;
      return ['vlan add dev', name, 'vid', safeNumber(id, 1, 4094), ...(native ? ['pvid'] : []), ...(native && untagged ? ['untagged'] : [])];
    }),
  ];
}

/** Plugs a device into a bridge and sets it up. */
export async function plug(commands: Commands, network: NetworkPlan, port: PortPlan, bridge: Bridge, device: string): Promise<void> {
  const table = renderTable(network, port, bridge, device);
  const [first, last] = [renderPlug(network, port, bridge, device), renderUp(bridge, device)];
  if (table.length === 0) return commands.run('ip', ['-batch', '-'], { input: ipLines([...first, ...last]) });
  await commands.run('ip', ['-batch', '-'], { input: ipLines(first) });
  await commands.run('bridge', ['-batch', '-'], { input: ipLines(table) });
  await commands.run('ip', ['-batch', '-'], { input: ipLines(last) });
}

/** Takes a device off a bridge, if it is on it. */
export async function unplug(commands: Commands, bridge: string, name: string): Promise<void> {
  const device = await readDevice(commands, name);
  if (device?.master === bridge) await commands.run('ip', ['link', 'set', 'dev', safeInterface(name), 'nomaster']);
}
