/**
 * Lives here: the rules of virtual networks, as the driver interface: which
 * network a request is about and what the answer is. The same for every host
 * and every store. Does not know: gRPC, who asks, how the host does it.
 */
import { hostname } from 'node:os';
import { formatNetwork, prefixOfIp, type NetworkDefinition } from '../../shared/definition/index.js';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { ListAllNetworksRequest, Network, NetworkDriver, NetworkSummary } from '../../shared/gen/vnet/v1/network_driver.js';
import { version } from '../../shared/version.js';
import { diagnose } from './diagnosis.js';
import type { JournalFigures } from './events.js';
import type { RepairCounts } from './health.js';
import type { HostFinding } from './host.js';
import { listLeases, releaseLease } from './leases.js';
import { create, define, setAutostart, start, stop, undefine, type Estate } from './lifecycle.js';
import { getMetadata, setMetadata } from './metadata.js';
import { liveXml } from './port-book.js';
import { openPortCalls, type PortCalls } from './port-calls.js';
import type { NetworkRecord } from './register.js';
import { listRevisions } from './revisions.js';
import { statusOf } from './status.js';
import { pendingParts, tryDefinition, update } from './update.js';
import { watchEvents } from './watching.js';

/** A driver in numbers. */
export interface DriverFigures extends JournalFigures {
  /** How often something of each part of networks was repaired. */
  repairs: RepairCounts;
  /** How many networks have something wrong with them now. */
  degraded: number;
}

/** A driver in this process. */
export class LocalNetworkDriver implements NetworkDriver {
  /** What else the doctor tells of: what this driver runs in. */
  readonly alsoFound: (() => HostFinding)[] = [];
  private readonly xml = new WeakMap<NetworkDefinition, string>();
  private readonly ports: PortCalls;

  /**
   * @param kind what Open answers: `host` or `test`
   * @param estate the register this driver answers from, with its host and store
   */
  constructor(private readonly kind: 'host' | 'test', private readonly estate: Estate) {
    this.ports = openPortCalls(estate);
  }

  /** What happens to its networks, in numbers. */
  figures(): DriverFigures {
    const degraded = this.estate.register.list().filter(({ health }) => health.faults.length > 0).length;
    return { ...this.estate.journal.figures(), repairs: { ...this.estate.repairs }, degraded };
  }

  open: NetworkDriver['open'] = async ({ driver }) => {
    if (driver !== '' && driver !== 'system' && driver !== this.kind) {
      throw new NetworkError(ErrorCode.NO_CONNECT, `driver '${driver}': this is a ${this.kind} driver`);
    }
    return { driver: this.kind, hostname: hostname(), version };
  };

  close: NetworkDriver['close'] = async () => ({});

  numOfNetworks: NetworkDriver['numOfNetworks'] = async () => ({ count: this.active(true).length });

  listNetworks: NetworkDriver['listNetworks'] = async ({ maxNames }) => ({ names: atMost(maxNames, this.active(true)) });

  numOfDefinedNetworks: NetworkDriver['numOfDefinedNetworks'] = async () => ({ count: this.active(false).length });

  listDefinedNetworks: NetworkDriver['listDefinedNetworks'] = async ({ maxNames }) =>
    ({ names: atMost(maxNames, this.active(false)) });

  listAllNetworks: NetworkDriver['listAllNetworks'] = async (filter) =>
    ({ networks: this.estate.register.list().map(summaryOf).filter((row) => matches(row, filter)) });

  networkLookupByUuid: NetworkDriver['networkLookupByUuid'] = async ({ uuid }) =>
    ({ network: handleOf(this.estate.register.findByUuid(uuid)) });

  networkLookupByName: NetworkDriver['networkLookupByName'] = async ({ name }) =>
    ({ network: handleOf(this.estate.register.findByName(name)) });

  networkCreateXml: NetworkDriver['networkCreateXml'] = async ({ xml, validate }) => {
    const { record, warnings } = await create(this.estate, xml, validate);
    return { network: handleOf(record), warnings };
  };

  networkDefineXml: NetworkDriver['networkDefineXml'] = async ({ xml, validate, dryRun, expectedRevision, rollbackTo }) => {
    if (dryRun === true) return tryDefinition(this.estate, xml, validate, expectedRevision);
    const { record, definition, warnings, stamp } = await define(this.estate, xml, validate, { expectedRevision, rollbackTo });
    return { network: handleOf(record), warnings, pending: pendingParts(record, definition), changes: [], revision: stamp.revision };
  };

  networkListRevisions: NetworkDriver['networkListRevisions'] = async ({ network, revision }) =>
    ({ revisions: await listRevisions(this.estate, this.find(network), revision) });

  networkUndefine: NetworkDriver['networkUndefine'] = async ({ network }) => {
    await undefine(this.estate, this.find(network));
    return {};
  };

  networkCreate: NetworkDriver['networkCreate'] = async ({ network }) => {
    await start(this.estate, this.find(network));
    return {};
  };

  networkDestroy: NetworkDriver['networkDestroy'] = async ({ network, force }) => {
    await stop(this.estate, this.find(network), force);
    return {};
  };

  networkDumpXml: NetworkDriver['networkDumpXml'] = async ({ network, inactive }) => {
    const record = this.find(network);
    return { xml: (inactive ? undefined : liveXml(record)) ?? this.format((inactive ? record.saved : undefined) ?? record.current) };
  };

  networkGetBridgeName: NetworkDriver['networkGetBridgeName'] = async ({ network }) => {
    const record = this.find(network);
    const bridge = record.current.bridge?.name;
    if (bridge === undefined) {
      throw new NetworkError(ErrorCode.INTERNAL_ERROR, `network '${record.name}' does not have a bridge name.`);
    }
    return { bridge };
  };

  networkGetAutostart: NetworkDriver['networkGetAutostart'] = async ({ network }) =>
    ({ autostart: this.find(network).autostart });

  networkSetAutostart: NetworkDriver['networkSetAutostart'] = async ({ network, autostart }) => {
    await setAutostart(this.estate, this.find(network), autostart);
    return {};
  };

  networkIsActive: NetworkDriver['networkIsActive'] = async ({ network }) =>
    ({ active: this.find(network).live !== undefined });

  networkIsPersistent: NetworkDriver['networkIsPersistent'] = async ({ network }) =>
    ({ persistent: this.find(network).saved !== undefined });

  networkGetDhcpLeases: NetworkDriver['networkGetDhcpLeases'] = async ({ network, mac }) =>
    ({ leases: await listLeases(this.estate, this.find(network), mac) });

  networkReleaseDhcpLease: NetworkDriver['networkReleaseDhcpLease'] = async ({ network, ipAddress }) => {
    await releaseLease(this.estate, this.find(network), ipAddress);
    return {};
  };

  networkUpdate: NetworkDriver['networkUpdate'] = async (request) => update(this.estate, this.find(request.network), request);

  networkGetMetadata: NetworkDriver['networkGetMetadata'] = async (request) => ({ metadata: getMetadata(this.find(request.network), request) });

  networkSetMetadata: NetworkDriver['networkSetMetadata'] = async (request) => {
    await setMetadata(this.estate, this.find(request.network), request);
    return {};
  };

  watchNetworkEvents: NetworkDriver['watchNetworkEvents'] = (request, signal) => watchEvents(this.estate, request, signal);

  networkPortLookupByUuid: NetworkDriver['networkPortLookupByUuid'] = (request) => this.ports.networkPortLookupByUuid(request);

  networkPortCreateXml: NetworkDriver['networkPortCreateXml'] = (request) => this.ports.networkPortCreateXml(request);

  networkPortGetXmlDesc: NetworkDriver['networkPortGetXmlDesc'] = (request) => this.ports.networkPortGetXmlDesc(request);

  networkPortGetParameters: NetworkDriver['networkPortGetParameters'] = (request) => this.ports.networkPortGetParameters(request);

  networkPortSetParameters: NetworkDriver['networkPortSetParameters'] = (request) => this.ports.networkPortSetParameters(request);

  networkPortDelete: NetworkDriver['networkPortDelete'] = (request) => this.ports.networkPortDelete(request);

  networkListAllPorts: NetworkDriver['networkListAllPorts'] = (request) => this.ports.networkListAllPorts(request);

  diagnose: NetworkDriver['diagnose'] = async ({ network }) =>
    diagnose(this.estate, network === undefined ? this.estate.register.list() : [this.find(network)], this.alsoFound.map((find) => find()));

  getStatus: NetworkDriver['getStatus'] = async ({ network }) =>
    statusOf(this.estate, network === undefined ? undefined : this.find(network));

  /**
   * The network that a handle is about at this moment. A call that begins
   * before anything else runs is about the same one.
   *
   * @throws {NetworkError} as every call with this handle
   */
  which(handle: Network | undefined): Network {
    return handleOf(this.find(handle));
  }

  /** Every network, those on their way in among them, which nobody sees yet. */
  all(): Network[] {
    return [...this.estate.register.all()].map(handleOf);
  }

  private find(network: Network | undefined): NetworkRecord {
    return this.estate.register.find(network);
  }

  private active(active: boolean): string[] {
    return this.estate.register.list().filter((record) => (record.live !== undefined) === active).map(({ name }) => name);
  }

  /** The XML of a definition, which never changes once it is here. */
  private format(definition: NetworkDefinition): string {
    const known = this.xml.get(definition);
    if (known !== undefined) return known;
    const xml = formatNetwork(definition);
    this.xml.set(definition, xml);
    return xml;
  }
}

function handleOf({ name, uuid }: NetworkRecord): Network {
  return { name, uuid };
}

function atMost(count: number, names: string[]): string[] {
  return count === 0 ? names : names.slice(0, count);
}

function summaryOf(record: NetworkRecord): NetworkSummary {
  const definition = record.current;
  return {
    network: handleOf(record),
    active: record.live !== undefined,
    persistent: record.saved !== undefined,
    autostart: record.autostart,
    bridge: definition.bridge?.name ?? '',
    forwardMode: definition.forward?.mode ?? '',
    addresses: definition.ips.map((ip) => `${ip.address}/${prefixOfIp(ip)}`),
  };
}

/** Whether a row passes a filter: what the filter leaves open passes. */
function matches(row: NetworkSummary, filter: ListAllNetworksRequest): boolean {
  return (['active', 'persistent', 'autostart'] as const)
    .every((column) => filter[column] === undefined || filter[column] === row[column]);
}
