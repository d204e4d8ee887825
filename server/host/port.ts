/**
 * Lives here: how a guest is plugged into a network and taken off it: the
 * order of the steps, and the way back. Does not know: what a step does in
 * detail; which port a guest has and what it asks for.
 *
 * A device is set up last: no packet passes before its limits, its isolation
 * and its VLANs stand.
 */
import { ErrorCode, messageOf, NetworkError } from '../../shared/errors.js';
import type { Host, NetworkPlan, Plug, PortAttachment, PortPlan } from '../driver/host.js';
import type { Log } from '../log.js';
import { CommandError, type Commands } from './command.js';
import { plug, requireBridge, unplug, type Bridge } from './port/bridge-port.js';
import { ipLines, makeDevice, readDevice, refuse, removeDevice, requireMark, setMarked, type Device } from './port/device.js';
import { floorOf, openFloors } from './port/floor.js';
import { hasLimits, isTcFailure, limit, relimit, unlimit, type Limited } from './port/limits.js';
import { ownTapFile, renderMacvlan, renderMacvtap, renderMacvtapUp } from './port/macvtap.js';
import { joinSwitch, leaveSwitch, refuseForSwitch, usesOpenVswitch } from './port/open-vswitch.js';
import { renderTap } from './port/tap.js';
import { hasNetns, netnsPath, renderVeth, requireNetns } from './port/veth.js';
import { safeInterface, safeNumber } from './safe-text.js';
import { readVirtualFunctions, requireVirtualFunction } from './sriov.js';
import { silenceDevice } from './sysctl.js';
import { openWayBack, together, type WayBack } from './undo.js';

/** The part of a host that plugs guests in. */
export type Ports = Pick<Host, 'attach' | 'detach' | 'reshape' | 'pool'>;

/** Opens it. @param sysFolder where sysfs is: /sys */
export function openPorts(commands: Commands, log: Log, sysFolder: string): Ports {
  return new LinuxPorts(commands, log, sysFolder);
}

class LinuxPorts implements Ports {
  private readonly floors;

  constructor(private readonly commands: Commands, private readonly log: Log, private readonly sysFolder: string) {
    this.floors = openFloors(commands);
  }

  pool(network: NetworkPlan) {
    return readVirtualFunctions(this.sysFolder, network);
  }

  async attach(network: NetworkPlan, port: PortPlan): Promise<void> {
    refuseUnfit(port);
    const { plug: where } = port;
    if (where.type === 'hostdev-pci') return requireVirtualFunction(this.sysFolder, where.address, `the port of '${port.owner}'`);
    if (hasLimits(port) && port.attachment !== undefined || floorOf(port) !== undefined) await this.commands.require('tc');
    const back = openWayBack(this.log);
    try {
      back.push('floor', () => this.floors.release(network, port));
      await together(
        this.floors.promise(network, port),
        port.attachment === undefined ? undefined
          : where.type === 'direct' ? this.attachDirect(port, where, port.attachment, back) : this.attachBridged(network, port, where.bridge, port.attachment, back),
      );
    } catch (error) {
      await back.go();
      throw isTcFailure(error) ? explained(port, error) : error;
    }
  }

  /** A device on a bridge, of Linux or of Open vSwitch. */
  private async attachBridged(network: NetworkPlan, port: PortPlan, name: string, attachment: PortAttachment, back: WayBack): Promise<void> {
    const bridge = usesOpenVswitch(port) ? undefined : await requireBridge(this.commands, network, port, name);
    const mtu = port.mtu ?? bridge?.mtu ?? (await readDevice(this.commands, name))?.mtu ?? 1500;
    const { device } = attachment;
    await this.makeBridged(port, attachment, mtu, name, back);
    await together(silenceDevice(device), this.limitAnew(port, { device, swapped: false }, back));
    if (bridge !== undefined) {
      back.push('bridge', () => unplug(this.commands, name, device));
      return this.plugIn(network, port, bridge, device);
    }
    back.push('switch', () => leaveSwitch(this.commands, port, device));
    await joinSwitch(this.commands, port, name, device);
    await this.commands.run('ip', ['link', 'set', 'dev', safeInterface(device), 'up']);
  }

  private async plugIn(network: NetworkPlan, port: PortPlan, bridge: Bridge, device: string): Promise<void> {
    try {
      await plug(this.commands, network, port, bridge, device);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot plug '${port.owner}' into bridge '${bridge.name}': ${error.words}`, { cause: error });
    }
  }

  /** Makes the device of a guest on a bridge, or takes the one that is there. */
  private async makeBridged(port: PortPlan, attachment: PortAttachment, mtu: number, bridge: string, back: WayBack): Promise<void> {
    const { device } = attachment;
    const lines = attachment.type === 'tap' ? renderTap(port, attachment, mtu) : attachment.type === 'veth' ? renderVeth(port, attachment, mtu) : [];
    const standing = await readDevice(this.commands, device);
    if (attachment.type === 'existing') requireFree(port, device, standing, bridge);
    else if (standing !== undefined) requireMark(port, standing);
    if (standing !== undefined) return standing.mtu === mtu ? undefined : this.commands.run('ip', ['link', 'set', 'dev', safeInterface(device), 'mtu', safeNumber(mtu, 68, 65535)]);
    if (attachment.type === 'veth') await requireNetns(port, netnsPath(port, attachment));
    back.push('device', () => removeDevice(this.commands, port, device));
    await makeDevice(this.commands, port, device, lines);
  }

  /** A device over one of the LAN's. */
  private async attachDirect(port: PortPlan, direct: Extract<Plug, { type: 'direct' }>, attachment: PortAttachment, back: WayBack): Promise<void> {
    if (attachment.type === 'existing') throw refuse(port, `'${attachment.device}' cannot be on the LAN of '${direct.device}': only devices made for that can`);
    const { device } = attachment;
    if (attachment.type === 'veth') return this.attachMacvlan(port, direct, attachment, back);
    const lines = renderMacvtap(port, direct, attachment);
    const standing = await readDevice(this.commands, device);
    if (standing !== undefined) requireMark(port, standing);
    else {
      back.push('device', () => removeDevice(this.commands, port, device));
      await makeDevice(this.commands, port, device, lines);
    }
    const made = standing ?? await readDevice(this.commands, device);
    await together(
      silenceDevice(device), this.limitAnew(port, { device, swapped: true }, back),
      made && ownTapFile(this.commands, made, attachment, this.sysFolder),
    );
    try {
      await this.commands.run('ip', ['-batch', '-'], { input: ipLines(renderMacvtapUp(device)) });
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot set '${device}' up, which is over '${direct.device}': ${error.words}`, {
        cause: error, hint: `'${direct.device}' must be up: ip link set dev ${direct.device} up`,
      });
    }
  }

  private async attachMacvlan(port: PortPlan, direct: Extract<Plug, { type: 'direct' }>, attachment: Extract<PortAttachment, { type: 'veth' }>, back: WayBack): Promise<void> {
    const lines = renderMacvlan(port, direct, attachment);
    const netns = netnsPath(port, attachment);
    await requireNetns(port, netns);
    if (await setMarked(this.commands, port, attachment.guestDevice, 'up', netns)) return;
    const standing = await readDevice(this.commands, attachment.device);
    if (standing !== undefined) requireMark(port, standing);
    back.push('device', () => this.removeMacvlan(port, attachment, netns));
    // One that did not get into its namespace.
    if (standing !== undefined) await removeDevice(this.commands, port, attachment.device);
    await makeDevice(this.commands, port, attachment.device, lines);
  }

  private async removeMacvlan(port: PortPlan, { device, guestDevice }: Extract<PortAttachment, { type: 'veth' }>, netns: string): Promise<void> {
    await removeDevice(this.commands, port, device);
    if (await hasNetns(netns)) await removeDevice(this.commands, port, guestDevice, netns);
  }

  /** Sets a guest's limits, also where some are left of before. */
  private async limitAnew(port: PortPlan, target: Limited, back: WayBack): Promise<void> {
    if (!hasLimits(port)) return;
    back.push('limits', () => unlimit(this.commands, port, target));
    await unlimit(this.commands, port, target);
    await limit(this.commands, port, target);
  }

  async detach(network: NetworkPlan, port: PortPlan, { keepDevice } = { keepDevice: false }): Promise<void> {
    if (port.plug.type === 'hostdev-pci') return;
    const { attachment } = port;
    const results = await Promise.allSettled([
      this.floors.release(network, port), attachment === undefined ? undefined
        : keepDevice && attachment.type !== 'existing' ? this.isolate(port, port.plug, attachment) : this.remove(port, port.plug, attachment),
    ]);
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    if (failures.length === 0) return;
    const words = failures.map(messageOf);
    throw new NetworkError(ErrorCode.INTERNAL_ERROR, `the port of '${port.owner}' could not be taken off network '${network.name}' in full: ${words.join('; ')}`, {
      cause: failures.length === 1 ? failures[0] : new AggregateError(failures),
    });
  }

  /** Takes a device off what it is plugged into, and leaves it to its guest. */
  private async isolate(port: PortPlan, where: Exclude<Plug, { type: 'hostdev-pci' }>, attachment: Exclude<PortAttachment, { type: 'existing' }>): Promise<void> {
    const { device } = attachment;
    if (usesOpenVswitch(port)) return leaveSwitch(this.commands, port, device);
    if (where.type === 'bridge') return unplug(this.commands, where.bridge, device);
    // One over a device of the LAN is nowhere else: it is down until the port is attached again.
    if (attachment.type === 'tap') await setMarked(this.commands, port, device, 'down');
    else await setMarked(this.commands, port, attachment.guestDevice, 'down', netnsPath(port, attachment));
  }

  private async remove(port: PortPlan, where: Exclude<Plug, { type: 'hostdev-pci' }>, attachment: PortAttachment): Promise<void> {
    const { device } = attachment;
    const direct = where.type === 'direct';
    if (direct && attachment.type === 'veth') return this.removeMacvlan(port, attachment, netnsPath(port, attachment));
    // Open vSwitch keeps a port whose device is gone.
    const steps: (() => Promise<void>)[] = [
      async () => { if (usesOpenVswitch(port)) await leaveSwitch(this.commands, port, device); },
      () => unlimit(this.commands, port, { device, swapped: direct }),
      () => (attachment.type !== 'existing' ? removeDevice(this.commands, port, device) : where.type === 'bridge' ? unplug(this.commands, where.bridge, device) : Promise.resolve()),
    ];
    const failures: unknown[] = [];
    for (const step of steps) await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures, failures.map(String).join('; '));
  }

  async reshape(network: NetworkPlan, before: PortPlan, after: PortPlan): Promise<void> {
    refuseUnfit(after);
    const back = openWayBack(this.log);
    try {
      back.push('floor', () => this.changeFloor(network, after, before));
      await this.changeFloor(network, before, after);
      const { attachment, plug: where } = after;
      if (attachment !== undefined && !(where.type === 'direct' && attachment.type === 'veth')) {
        await relimit(this.commands, before, after, { device: attachment.device, swapped: where.type === 'direct' });
      }
    } catch (error) {
      await back.go();
      throw isTcFailure(error) ? explained(after, error) : error;
    }
  }

  private async changeFloor(network: NetworkPlan, before: PortPlan, after: PortPlan): Promise<void> {
    const same = floorOf(before) !== undefined && floorOf(after) !== undefined && before.bandwidth?.classId === after.bandwidth?.classId;
    if (!same) await this.floors.release(network, before);
    await this.floors.promise(network, after);
  }
}

/** @throws {NetworkError} CONFIG_UNSUPPORTED for what this host cannot do */
function refuseUnfit(port: PortPlan): void {
  const { plug: where, virtualPort, vlan, attachment } = port;
  if (virtualPort?.type !== undefined && !(usesOpenVswitch(port) && where.type === 'bridge' && !where.managed)) {
    throw refuse(port, `virtualport type '${virtualPort.type}' is not supported ${where.type === 'bridge' ? 'on this bridge' : 'on this device'}`);
  }
  if (usesOpenVswitch(port)) refuseForSwitch(port);
  if (where.type === 'hostdev-pci' && attachment !== undefined) throw refuse(port, 'a PCI device is handed to the guest by its hypervisor, so there is no device to make');
  if (where.type !== 'direct') return;
  if (hasLimits(port) && attachment?.type === 'veth') throw refuse(port, 'its bandwidth would be held on a device in its own network namespace, where it can take it off');
  if (vlan !== undefined) throw refuse(port, `a VLAN on '${where.device}' is not supported`, 'make an interface in that VLAN and give the network that one');
  if (port.trustGuestRxFilters && where.mode !== 'passthrough' && attachment !== undefined) {
    throw refuse(port, `trustGuestRxFilters='yes' is not possible in mode '${where.mode}': a guest has one MAC address there`, "mode 'passthrough' lets a guest use any");
  }
}

/** Checks that somebody else's device is there and nowhere else. It is plugged in, and nothing else of it is ours. */
function requireFree(port: PortPlan, device: string, standing: Device | undefined, bridge: string): void {
  if (standing === undefined) {
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot plug '${port.owner}' in: there is no interface '${device}' on this host`, { hint: 'see the interfaces there are with: ip link' });
  }
  // Open vSwitch is the master of all that is on its bridges, and knows itself on which.
  if (standing.master === undefined || standing.master === bridge || usesOpenVswitch(port)) return;
  throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot plug '${port.owner}' in: interface '${device}' is in '${standing.master}' already`, {
    hint: `take it out first: ip link set dev ${device} nomaster`,
  });
}

function explained(port: PortPlan, error: CommandError): NetworkError {
  return new NetworkError(ErrorCode.INTERNAL_ERROR, `cannot hold '${port.owner}' to its bandwidth: ${error.message}`, {
    cause: error, hint: 'bandwidth needs the kernel modules sch_htb, sch_ingress and cls_u32, and act_police or else ifb and act_mirred',
  });
}
