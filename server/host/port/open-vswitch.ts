/**
 * Lives here: how a device becomes a port of an Open vSwitch bridge. Does not
 * know: whose device it is.
 *
 * What is written into its database there are controllers that read: the keys
 * of `external_ids` are libvirt's, and one of ours marks the port.
 */
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import type { Vlan } from '../../../shared/definition/index.js';
import type { PortPlan } from '../../driver/host.js';
import { CommandError, type Commands } from '../command.js';
import { safeInterface, safeLine, safeMac, safeNumber, uuidDigits } from '../safe-text.js';
import { refuse } from './device.js';

/** Longer than it takes, and shorter than anyone waits: without this, ovs-vsctl waits for its daemon for ever. */
const patience = '--timeout=10';

/** The key that marks a port as ours. */
const markKey = 'external_ids:vnet-port';

/** Whether a port is plugged into an Open vSwitch bridge. */
export function usesOpenVswitch({ virtualPort }: PortPlan): boolean {
  return virtualPort?.type === 'openvswitch';
}

/** Whether there is an Open vSwitch bridge of that name. @throws {NetworkError} SYSTEM_ERROR if its database does not answer */
export async function hasSwitch(commands: Commands, bridge: string): Promise<boolean> {
  try {
    await commands.run('ovs-vsctl', [patience, 'br-exists', safeInterface(bridge)]);
    return true;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.words.startsWith('exit code 2 ')) return false;
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, `Open vSwitch does not answer: ${error.words}`, {
      cause: error, hint: 'does it run? systemctl status openvswitch-switch',
    });
  }
}

/** @throws {NetworkError} CONFIG_UNSUPPORTED for what only Linux' own bridges do here */
export function refuseForSwitch(port: PortPlan): void {
  const { inbound, outbound } = port.bandwidth ?? {};
  if ((inbound ?? outbound) === undefined) return;
  throw refuse(port, 'Open vSwitch holds the queues of its ports itself, and vnet does not tell it to', 'see the columns qos and ingress_policing_rate: ovs-vsctl list port; ovs-vsctl list interface');
}

/** The arguments of ovs-vsctl that make a device a port, or a port what it should be. One transaction. */
export function renderSwitchPort(port: PortPlan, bridge: string, device: string): string[] {
  const name = safeInterface(device);
  const { interfaceId, profileId } = port.virtualPort?.parameters ?? {};
  const columns = { ...vlanColumns(port.vlan), protected: String(port.isolated) };
  const ids = {
    'attached-mac': safeMac(port.mac),
    'iface-id': known(interfaceId ?? port.uuid),
    'iface-status': 'active',
    ...(port.ownerUuid === undefined ? {} : { 'vm-id': known(port.ownerUuid) }),
    ...(profileId === undefined ? {} : { 'port-profile': safeLine(profileId) }),
  };
  return [
    patience, '--may-exist', 'add-port', safeInterface(bridge), name,
    '--', 'set', 'Port', name, ...Object.entries(columns).map(([column, value]) => `${column}=${value}`), `${markKey}=${quoted(known(port.uuid))}`,
    '--', 'set', 'Interface', name, ...Object.entries(ids).map(([key, value]) => `external_ids:${key}=${quoted(value)}`),
    ...(port.mtu === undefined ? [] : [`mtu_request=${safeNumber(port.mtu, 68, 65535)}`]),
  ];
}

/** Which VLANs a port carries; `[]` is none, which carries all. */
function vlanColumns(vlan: Vlan | undefined): { tag: string; trunks: string; vlan_mode: string } {
  if (vlan === undefined) return { tag: '[]', trunks: '[]', vlan_mode: '[]' };
  const ids = vlan.tags.map(({ id }) => safeNumber(id, 0, 4095));
  if (vlan.trunk !== true && ids.length === 1) return { tag: ids[0]!, trunks: '[]', vlan_mode: '[]' };
  const native = vlan.tags.find(({ nativeMode }) => nativeMode !== undefined);
  return {
    tag: native === undefined ? '[]' : safeNumber(native.id, 0, 4095), trunks: ids.join(','),
    vlan_mode: native === undefined ? '[]' : `native-${native.nativeMode}`,
  };
}

/** A UUID, checked. */
function known(uuid: string): string {
  uuidDigits(uuid);
  return uuid;
}

/** A string as ovs-vsctl reads it, whatever is in it. */
function quoted(text: string): string {
  return JSON.stringify(text);
}

/** Makes a device a port. @throws {NetworkError} SYSTEM_ERROR with the words of ovs-vsctl */
export async function joinSwitch(commands: Commands, port: PortPlan, bridge: string, device: string): Promise<void> {
  const argv = renderSwitchPort(port, bridge, device);
  if (!await hasSwitch(commands, bridge)) {
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot plug '${port.owner}' in: Open vSwitch has no bridge '${bridge}'`, { hint: 'see them with: ovs-vsctl list-br' });
  }
  await commands.run('ovs-vsctl', argv);
}

/** Removes a port from Open vSwitch, if it is there and ours. */
export async function leaveSwitch(commands: Commands, port: PortPlan, device: string): Promise<void> {
  const name = safeInterface(device);
  const mark = await commands.read('ovs-vsctl', [patience, '--if-exists', 'get', 'Port', name, markKey]).catch((error: unknown) => {
    // A port of somebody else's has no such key.
    if (error instanceof CommandError && error.words.includes('no key')) return '';
    throw error;
  });
  if (mark.trim() === quoted(port.uuid)) await commands.run('ovs-vsctl', [patience, '--if-exists', 'del-port', name]);
}
