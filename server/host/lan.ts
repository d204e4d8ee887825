/**
 * Lives here: what has to be there before a network can start that gives its
 * guests something of the host's own: a bridge, devices of the LAN, virtual
 * functions. Only looks. Does not know: which guest gets which.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { networkMode, usesHostBridge } from '../../shared/definition/index.js';
import type { NetworkPlan } from '../driver/host.js';
import type { Commands } from './command.js';
import { requireHostBridge } from './link.js';
import { hasSwitch } from './port/open-vswitch.js';
import { readInterfaces } from './proc.js';
import { safeInterface } from './safe-text.js';
import { readVirtualFunctions, requireVirtualFunction } from './sriov.js';

/**
 * Checks that what a network gives its guests is there.
 *
 * @param sysFolder where sysfs is: /sys
 * @throws {NetworkError} SYSTEM_ERROR if a bridge or device is not there;
 * CONFIG_UNSUPPORTED naming a PCI address that is no virtual function;
 * INTERNAL_ERROR if a physical function has none
 */
export async function requireLan(commands: Commands, plan: NetworkPlan, sysFolder: string): Promise<void> {
  const { name, definition } = plan;
  if (usesHostBridge(definition)) return requireAnyBridge(commands, plan);
  const { pf, interfaces = [], addresses = [] } = definition.forward ?? {};
  if (pf !== undefined) await readVirtualFunctions(sysFolder, plan);
  if (networkMode(definition) === 'hostdev') {
    for (const address of addresses) await requireVirtualFunction(sysFolder, address, `network '${name}'`);
    return;
  }
  const there = await readInterfaces();
  const missing = interfaces.find((device) => !there.includes(safeInterface(device)));
  if (missing === undefined) return;
  throw new NetworkError(ErrorCode.SYSTEM_ERROR, `there is no interface '${missing}' on this host, so guests of network '${name}' cannot be on its LAN`, {
    hint: 'see the interfaces there are with: ip link',
  });
}

/** The network's bridge, Linux' own or one of Open vSwitch. */
async function requireAnyBridge(commands: Commands, plan: NetworkPlan): Promise<void> {
  const { name, definition: { bridge, virtualPort, portGroups } } = plan;
  const always = virtualPort?.type === 'openvswitch';
  const sometimes = portGroups.some((group) => group.virtualPort?.type === 'openvswitch');
  if (!always && !sometimes) return requireHostBridge(commands, plan);
  if (await hasSwitch(commands, bridge?.name ?? '')) return;
  if (!always) return requireHostBridge(commands, plan);
  throw new NetworkError(ErrorCode.SYSTEM_ERROR, `Open vSwitch has no bridge '${bridge?.name ?? ''}' on this host, so guests of network '${name}' cannot be plugged into it`, {
    hint: `make it with: ovs-vsctl add-br ${safeInterface(bridge?.name ?? '')}`,
  });
}
