/**
 * Lives here: a port as the rules know it, and its other forms: what the host
 * is told, what the store keeps, what a decision about another port looks at.
 * Does not know: who asks, what happens in which order.
 */
import { randomUUID } from 'node:crypto';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { formatNetwork, formatNetworkPort, isManaged, type NetworkDefinition, type NetworkPortDefinition, type PortPlug } from '../../shared/definition/index.js';
import type { NetworkPort } from '../../shared/gen/vnet/v1/network_driver.js';
import type { NetworkPlan, Plug, PortAttachment, PortPlan } from './host.js';
import { connectionsOf, type Books } from './port-allocation.js';
import type { NetworkRecord } from './register.js';
import type { PortRecord } from './store.js';

/** A port's definition as the network decided it. */
export type DecidedPort = NetworkPortDefinition & { uuid: string; plug: PortPlug };

/** A port of a network. */
export interface KnownPort {
  definition: DecidedPort;
  /** What vnet plugs in, if it does. */
  attachment?: PortAttachment;
  /**
   * adding: nobody sees it yet. unplugged: it is kept, but holds nothing of the
   * network: the network is down, or its device is gone.
   */
  state: PortRecord['state'];
}

/** A network's ports that there are to see, ordered by UUID. */
export function portsOf(record: NetworkRecord): KnownPort[] {
  return [...record.ports.values()].filter(({ state }) => state !== 'adding')
    .sort((a, b) => (a.definition.uuid < b.definition.uuid ? -1 : 1));
}

/** What a decision about a port of this network looks at. */
export function booksOf(record: NetworkRecord, network: NetworkDefinition, except?: KnownPort): Books {
  return {
    network, pool: record.pool, makeUuid: randomUUID,
    ports: [...record.ports.values()].filter((port) => port !== except && port.state !== 'unplugged').map(({ definition }) => definition),
  };
}

/** The devices that ports have or are about to have, of every network. */
export function portDevices(records: Iterable<NetworkRecord>): Set<string> {
  return new Set([...records].flatMap(({ ports }) => [...ports.values()].flatMap(({ attachment }) => attachment?.device ?? [])));
}

/** What the host is told of a port. */
export function planOfPort(network: NetworkPlan, { definition, attachment }: Pick<KnownPort, 'definition' | 'attachment'>): PortPlan {
  const { uuid, mac, owner, virtualPort, vlan, bandwidth, port, trustGuestRxFilters = false } = definition;
  const { mtu } = network.definition;
  return {
    uuid, mac, owner: owner.name, ownerUuid: owner.uuid, plug: hostPlug(definition.plug),
    ...(attachment === undefined ? {} : { attachment }),
    ...(virtualPort === undefined ? {} : { virtualPort }),
    ...(vlan === undefined ? {} : { vlan }),
    ...(bandwidth === undefined ? {} : { bandwidth }),
    isolated: port?.isolated ?? false, trustGuestRxFilters,
    ...(mtu === undefined || !isManaged(network.definition) ? {} : { mtu }),
  };
}

function hostPlug(plug: PortPlug): Plug {
  switch (plug.type) {
    case 'network': case 'bridge': return { type: 'bridge', bridge: plug.bridge, managed: plug.type === 'network' };
    case 'direct': return { type: 'direct', device: plug.dev, mode: plug.mode };
    case 'hostdev-pci': return { type: 'hostdev-pci', address: plug.address, managed: plug.managed ?? false, ...(plug.driver === undefined ? {} : { driver: plug.driver }) };
  }
}

/** What the store keeps of a port. */
export function storedPort(network: string, { definition, attachment, state }: KnownPort): PortRecord {
  return { uuid: definition.uuid, network, xml: formatNetworkPort(definition), ...(attachment === undefined ? {} : { attachment }), state };
}

/** A handle on a port. */
export function portHandle({ name, uuid }: NetworkRecord, { definition }: KnownPort): NetworkPort {
  return { network: { name, uuid }, uuid: definition.uuid };
}

/**
 * The document of an active network where it says more than its definition:
 * what its physical function offers, and how many ports there are; undefined
 * where it does not.
 */
export function liveXml(record: NetworkRecord): string | undefined {
  const { live, pool } = record;
  const ports = live === undefined ? [] : booksOf(record, live).ports;
  if (live === undefined || (ports.length === 0 && pool.length === 0)) return undefined;
  const { forward } = live;
  const offered = forward === undefined || pool.length === 0 ? {} : forward.mode === 'hostdev'
    ? { forward: { ...forward, addresses: pool.map(({ address }) => address) } }
    : { forward: { ...forward, interfaces: pool.flatMap((device) => device.interface ?? []) } };
  return formatNetwork({ ...live, ...offered }, { connections: ports.length, interfaceConnections: connectionsOf(ports) });
}

/** @throws {NetworkError} OPERATION_INVALID if the network is inactive */
export function requireLive(record: NetworkRecord): NetworkDefinition {
  void record.current;
  if (record.live === undefined) throw new NetworkError(ErrorCode.OPERATION_INVALID, `network '${record.name}' is not active`);
  return record.live;
}
