/**
 * Lives here: what a network decides about a port: what the guest inherits,
 * what it is plugged into, which class holds its floor. Pure: the books are
 * the ports themselves, so that no counter can differ from them. Rules and
 * errors are libvirt's (networkAllocatePort, networkNotifyPort). Does not
 * know: the host, the store, who asks.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import {
  completeVirtualPort, formatPciAddress, isManaged, mergeVirtualPorts, networkMode, usesHostBridge,
  type Bandwidth, type MacvtapMode, type NetworkDefinition, type NetworkPortDefinition, type PciAddress, type PortPlug, type VirtualPort,
} from '../../shared/definition/index.js';

/** One device of a physical function's pool, as Host.pool gives it. */
export interface PoolDevice {
  interface?: string;
  address: PciAddress;
}

/** What a decision looks at. */
export interface Books {
  network: NetworkDefinition;
  /** What the network's physical function offers; empty if the definition names the devices itself. */
  pool: readonly PoolDevice[];
  /** Every other port that is plugged in. */
  ports: readonly NetworkPortDefinition[];
  makeUuid: () => string;
}

/** tc's classes 0 to 2 are the network's own; a class id has 16 bits. */
const classIds = { first: 3, last: 0xffff };

/** Decides about a request. The answer has everything filled in. @throws {NetworkError} as NetworkPortCreateXml */
export function allocatePort(books: Books, request: NetworkPortDefinition): NetworkPortDefinition {
  const port = inherit(books.network, request);
  const { virtualPort: _, ...rest } = port;
  // A class is the network's to give, whatever a request says of it.
  if (rest.bandwidth?.inbound?.floor !== undefined) rest.bandwidth = withoutClass(rest.bandwidth);
  const merged = mergeVirtualPorts(request.virtualPort, books.network.virtualPort, groupOf(books.network, request)?.virtualPort);
  return plugIn(books, merged === undefined ? rest : { ...rest, virtualPort: merged });
}

/**
 * Enters a port that is plugged in already in the books, as it is.
 *
 * @throws {NetworkError} INTERNAL_ERROR if its plug is not of this network, or is another port's
 */
export function reclaimPort(books: Books, port: NetworkPortDefinition & { plug: PortPlug }): NetworkPortDefinition {
  refusePlug(books, port);
  return withClass(books, port);
}

/**
 * Decides anew what a port is plugged into that the network kept while it was
 * down: the same device if it is there and free. What the port inherited when
 * it was made stays.
 *
 * @throws {NetworkError} as NetworkPortCreateXml
 */
export function replugPort(books: Books, port: NetworkPortDefinition): NetworkPortDefinition {
  return plugIn(books, port);
}

/** A port with another bandwidth. @throws {NetworkError} OPERATION_INVALID, OPERATION_UNSUPPORTED for its floor */
export function withBandwidth(books: Books, port: NetworkPortDefinition, bandwidth: Bandwidth | undefined): NetworkPortDefinition {
  const { bandwidth: before, ...rest } = port;
  if (bandwidth === undefined) return rest;
  // A floor that only changes keeps its class.
  const classId = before?.inbound?.floor === undefined || bandwidth.inbound?.floor === undefined ? undefined : before.classId;
  return withClass(books, { ...rest, bandwidth: { ...(classId === undefined ? {} : { classId }), ...bandwidth } });
}

/** How many ports use each device of the network, by its name or PCI address. */
export function connectionsOf(ports: readonly NetworkPortDefinition[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { plug } of ports) {
    const key = plug === undefined ? undefined : deviceKey(plug);
    if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** All that is promised to ports, in kilobytes per second. */
export function sumOfFloors(ports: readonly NetworkPortDefinition[]): number {
  return ports.reduce((sum, { bandwidth }) => sum + (bandwidth?.inbound?.floor ?? 0), 0);
}

/** The port group of a request: the one it names, else the default. One that is not there is none, as libvirt has it. */
export function groupOf({ portGroups }: NetworkDefinition, { group }: NetworkPortDefinition): NetworkDefinition['portGroups'][number] | undefined {
  return portGroups.find((candidate) => (group === undefined ? candidate.default === true : candidate.name === group));
}

/** What the guest does not say itself, from its port group, else from the network. */
function inherit(network: NetworkDefinition, request: NetworkPortDefinition): NetworkPortDefinition {
  const group = groupOf(network, request);
  const bandwidth = request.bandwidth ?? group?.bandwidth;
  const vlan = request.vlan ?? group?.vlan ?? network.vlan;
  const trust = request.trustGuestRxFilters ?? group?.trustGuestRxFilters ?? network.trustGuestRxFilters;
  const isolated = request.port?.isolated ?? network.port?.isolated;
  return {
    ...request,
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(vlan === undefined ? {} : { vlan }),
    ...(isolated === undefined ? {} : { port: { isolated } }),
    ...(trust === undefined ? {} : { trustGuestRxFilters: trust }),
  };
}

/** The port with its plug, its virtual port complete, and its class. */
function plugIn(books: Books, port: NetworkPortDefinition): NetworkPortDefinition {
  refuseVirtualPort(books.network, port.virtualPort);
  const plug = choosePlug(books, port);
  const { virtualPort } = port;
  const whole = virtualPort === undefined ? { ...port, plug } : { ...port, plug, virtualPort: completeVirtualPort(virtualPort, books.makeUuid) };
  return withClass(books, whole);
}

/** Which types of virtual port each kind of network takes, and libvirt's words for the kind. */
function refuseVirtualPort(network: NetworkDefinition, virtualPort: VirtualPort | undefined): void {
  if (virtualPort === undefined) return;
  const { type = 'none' } = virtualPort;
  const [fits, kind]: [boolean, string] = isManaged(network) ? [false, 'uses IP forwarding']
    : usesHostBridge(network) ? [type === 'openvswitch', 'uses a bridge device']
      : [type === '802.1Qbg' || type === '802.1Qbh', networkMode(network) === 'hostdev'
        ? 'uses an SR-IOV Virtual Function via PCI passthrough' : 'uses a macvtap device'];
  if (!fits) throw new NetworkError(ErrorCode.CONFIG_UNSUPPORTED, `<virtualport type='${type}'> not supported for network '${network.name}' which ${kind}`);
}

function choosePlug(books: Books, port: NetworkPortDefinition): PortPlug {
  const { network } = books;
  if (isManaged(network) || usesHostBridge(network)) {
    const { name, macTableManager } = network.bridge ?? {};
    if (name === undefined) throw new NetworkError(ErrorCode.INTERNAL_ERROR, `network '${network.name}' has no bridge`);
    return { type: isManaged(network) ? 'network' : 'bridge', bridge: name, ...(macTableManager === undefined ? {} : { macTableManager }) };
  }
  const devices = devicesOf(books);
  if (devices.length === 0) {
    throw new NetworkError(ErrorCode.INTERNAL_ERROR, `network '${network.name}' uses a direct mode, but has no forward dev and no interface pool`);
  }
  const counts = connectionsOf(books.ports);
  const uses = (device: PortPlug) => counts.get(deviceKey(device)!) ?? 0;
  const isExclusive = needsDeviceAlone(network, port.virtualPort);
  const previous = port.plug === undefined ? undefined : devices.find((device) => deviceKey(device) === deviceKey(port.plug!));
  if (previous !== undefined && (!isExclusive || uses(previous) === 0)) return previous;
  const chosen = isExclusive ? devices.find((device) => uses(device) === 0)
    : devices.reduce((least, device) => (uses(device) < uses(least) ? device : least));
  if (chosen === undefined) {
    throw new NetworkError(ErrorCode.INTERNAL_ERROR, `network '${network.name}' requires exclusive access to interfaces, but none are available`);
  }
  return chosen;
}

/** The devices of a network that has no bridge, each as a plug into it. */
function devicesOf({ network, pool }: Books): PortPlug[] {
  const { forward } = network;
  const mode = networkMode(network);
  if (mode === 'hostdev') {
    const addresses = pool.length > 0 ? pool.map((device) => device.address) : forward?.addresses ?? [];
    const driver = forward?.driver?.name;
    return addresses.map((address) => ({ type: 'hostdev-pci', managed: forward?.managed === true, ...(driver === undefined ? {} : { driver }), address }));
  }
  const names = pool.length > 0 ? pool.flatMap((device) => device.interface ?? []) : forward?.interfaces ?? [];
  return names.map((dev) => ({ type: 'direct', dev, mode: mode as MacvtapMode }));
}

/** Whether a device is for one guest alone. */
function needsDeviceAlone(network: NetworkDefinition, virtualPort: VirtualPort | undefined): boolean {
  const mode = networkMode(network);
  return mode === 'passthrough' || mode === 'hostdev' || (mode === 'private' && virtualPort?.type === '802.1Qbh');
}

/** What counts the ports on a device; undefined for a bridge, which has room for all. */
function deviceKey(plug: PortPlug): string | undefined {
  return plug.type === 'direct' ? plug.dev : plug.type === 'hostdev-pci' ? formatPciAddress(plug.address) : undefined;
}

/** libvirt believes any bridge's name; a port that is not on the network's own is refused here. */
function refusePlug(books: Books, { plug, uuid, virtualPort }: NetworkPortDefinition & { plug: PortPlug }): void {
  const { network } = books;
  const refuse = (why: string) => new NetworkError(ErrorCode.INTERNAL_ERROR, `network '${network.name}' ${why}`);
  const key = deviceKey(plug);
  const what = plug.type === 'hostdev-pci' ? `PCI device ${key}` : plug.type === 'direct' ? `dev='${key}'` : `bridge '${plug.bridge}'`;
  const absent = refuse(`doesn't have ${what} in use by network port '${uuid ?? ''}'`);
  if (plug.type === 'network' || plug.type === 'bridge') {
    const fits = plug.type === 'network' ? isManaged(network) : usesHostBridge(network);
    if (!fits || plug.bridge !== network.bridge?.name) throw absent;
    return;
  }
  if (isManaged(network) || usesHostBridge(network) || !devicesOf(books).some((device) => deviceKey(device) === key)) throw absent;
  if (needsDeviceAlone(network, virtualPort) && connectionsOf(books.ports).has(key!)) {
    throw refuse(`claims ${what} is already in use by a different port`);
  }
}

/** The port with a class for its floor, if it has one: the id it has if that is free, else the first free one. */
function withClass(books: Books, port: NetworkPortDefinition): NetworkPortDefinition {
  const floor = port.bandwidth?.inbound?.floor;
  if (floor === undefined) return port;
  refuseFloor(books, port, floor);
  const taken = new Set(books.ports.flatMap(({ bandwidth }) => (bandwidth?.inbound?.floor === undefined ? [] : bandwidth.classId ?? [])));
  return { ...port, bandwidth: { ...port.bandwidth, classId: firstFree(taken, port.bandwidth?.classId) } };
}

function withoutClass({ classId: _, ...bandwidth }: Bandwidth): Bandwidth {
  return bandwidth;
}

function refuseFloor({ network, ports }: Books, { mac }: NetworkPortDefinition, floor: number): void {
  const misuse = (why: string) =>
    new NetworkError(ErrorCode.OPERATION_UNSUPPORTED, `Invalid use of 'floor' on interface with MAC address ${mac} - ${why}`);
  if (!isManaged(network)) {
    throw misuse("'floor' is only supported for interface type 'network' with forward type 'nat', 'route', 'open' or none");
  }
  const inbound = network.bandwidth?.inbound;
  if (inbound === undefined) throw misuse(`network '${network.name}' has no inbound QoS set`);
  const [limit, word] = inbound.peak === undefined ? [inbound.average ?? 0, 'average'] : [inbound.peak, 'peak'];
  const sum = sumOfFloors(ports) + floor;
  if (sum > limit) {
    throw new NetworkError(ErrorCode.OPERATION_INVALID, `Cannot plug '${mac}' interface into '${network.bridge?.name ?? ''}' ` +
      `because new combined inbound floor=${sum} would overcommit ${word}=${limit} on network '${network.name}'`);
  }
}

function firstFree(taken: ReadonlySet<number>, wanted: number | undefined): number {
  if (wanted !== undefined && wanted >= classIds.first && wanted <= classIds.last && !taken.has(wanted)) return wanted;
  for (let id = classIds.first; id <= classIds.last; id += 1) if (!taken.has(id)) return id;
  throw new NetworkError(ErrorCode.INTERNAL_ERROR, 'no traffic class is free');
}
