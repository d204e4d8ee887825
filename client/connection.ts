/**
 * Lives here: the object API: a connection and its networks, each with the
 * verbs a person would look for. Does not know: transports, or where the
 * networks are; everything goes through a NetworkDriver.
 */
import { canonicalUuid } from '../shared/address.js';
import { ErrorCode, NetworkError } from '../shared/errors.js';
import {
  MetadataType, type DhcpLease, type Finding, type HostChange, type Network as NetworkHandle, type NetworkDriver, type NetworkSummary, type NetworkUpdateResponse,
  type OpenResponse, type Severity,
} from '../shared/gen/vnet/v1/network_driver.js';
import { updateCommands, updateSections, type UpdateCommandWord, type UpdateSectionWord } from '../shared/update-words.js';
import { connect, type ConnectedDriver, type ConnectOptions } from './connect.js';
import { createPort, NetworkPort, portOf, type MadePort, type PortOptions } from './port.js';
import { watchEvents, type NetworkEvent, type WatchOptions } from './watch.js';

/** Which networks to list. A field that is left out lets both kinds through. */
export interface NetworkFilter {
  /** Only networks that stand on the host (true), or only those that do not. */
  active?: boolean;
  /** Only networks whose definition is saved (true), or only transient ones. */
  persistent?: boolean;
  /** Only networks that start with the host (true), or only those that do not. */
  autostart?: boolean;
}

/** What a network is at one moment. */
export interface NetworkInfo {
  /** The network itself, to do something with it. */
  network: Network;
  active: boolean;
  persistent: boolean;
  autostart: boolean;
  /** The name of the bridge device on the host; absent if the network has none. */
  bridge?: string;
  /** How guests reach the outside: `nat`, `route`, ..., or `isolated`. */
  mode: string;
  /** The host's addresses on the network, with prefix: `192.168.122.1/24`. */
  addresses: string[];
}

/** One thing that the doctor looked at. */
export interface Diagnosis {
  /** `error`: a network cannot work; `warning`: something will be missing, or may fail; `ok`: looked at, and good. */
  severity: 'error' | 'warning' | 'ok';
  /** What was looked at, always the same words: `forwarding`, `foreign-drop`, `port-53`. */
  check: string;
  /** The network it concerns; absent if it concerns the host. */
  network?: Network;
  /** What was found, in a sentence. */
  message: string;
  /** What to do about it, with a command where there is one; absent if nothing. */
  advice?: string;
}

/** How to read a document. */
export interface DocumentOptions {
  /** Refuse elements and attributes that the format does not know, instead of leaving them out. */
  validate?: boolean;
}

/** How to define a network. */
export interface DefineOptions extends DocumentOptions {
  /** Save nothing: only check the document, and tell what it would change. */
  dryRun?: boolean;
}

/** Which definition of a network is meant. Neither: the live one if it is active, else the saved one. */
export interface Where {
  /** The live one. */
  live?: boolean;
  /** The saved one. */
  config?: boolean;
}

/** A change of one part of a network, in virsh's words. */
export interface NetworkChange {
  command: Exclude<UpdateCommandWord, 'none'>;
  section: Exclude<UpdateSectionWord, 'none'>;
  /** The part, as an XML element. */
  xml: string;
  /** For the DHCP sections: which `<ip>`, from 0; the one that fits if left out. */
  parentIndex?: number;
}

/** How to change it. */
export interface UpdateOptions extends Where {
  /** Change nothing: only check, and tell what would be done to the host. */
  dryRun?: boolean;
}

/** A network that a document made, and what the host says about the document. */
export interface MadeNetwork {
  network: Network;
  /** What was left out or assumed, in sentences for a person. */
  warnings: string[];
}

/** A network that was defined, and what of its definition waits. */
export interface DefinedNetwork extends MadeNetwork {
  /** Of an active network: the parts, as paths, that wait for its next start; all others are live. */
  pending: string[];
  /** With `dryRun`: what would be done to the host. */
  changes: HostChange[];
}

/**
 * Opens a connection to the networks of a host.
 *
 *     await using connection = await openConnection('vnet:///system');
 *     const network = await connection.lookupByName('default');
 *     if (!await network.isActive()) await network.start();
 *
 * @param uri where: `vnet:///system`, `vnet+tls://HOST/system`, `test:///default`, ...
 * @throws {NetworkError} as `connect` does
 */
export async function openConnection(uri: string, options: ConnectOptions = {}): Promise<Connection> {
  return new Connection(await connect(uri, options));
}

/** A connection to the networks of one host. Every call throws NetworkError and nothing else. */
export class Connection {
  /** The URI it was opened with. */
  readonly uri: string;
  /** The driver underneath, for what this API does not offer. */
  readonly driver: NetworkDriver;
  readonly #close: () => Promise<void>;
  readonly #closed = new AbortController();

  /** Puts the object API on a driver that is connected already. */
  constructor(connected: ConnectedDriver) {
    this.uri = connected.uri;
    this.driver = connected.driver;
    this.#close = () => connected.close();
  }

  /** Who answers at the other end: its driver, its host's name, its version. */
  describe(): Promise<OpenResponse> {
    return this.driver.open({ driver: '' });
  }

  /** The name of the host whose networks these are. */
  async hostname(): Promise<string> {
    return (await this.describe()).hostname;
  }

  /** Lists networks with all that a table shows, in one call, ordered by name. */
  async listAllNetworks(filter: NetworkFilter = {}): Promise<NetworkInfo[]> {
    const { networks } = await this.driver.listAllNetworks(filter);
    return networks.map((summary) => this.#info(summary));
  }

  /** Finds a network by its name. @throws {NetworkError} NO_NETWORK */
  async lookupByName(name: string): Promise<Network> {
    return this.#found(await this.driver.networkLookupByName({ name }));
  }

  /** Finds a network by its UUID, in any spelling. @throws {NetworkError} NO_NETWORK, INVALID_ARG if it is no UUID */
  async lookupByUuid(uuid: string): Promise<Network> {
    return this.#found(await this.driver.networkLookupByUuid({ uuid }));
  }

  /**
   * Finds a network by what a person typed: a UUID if it is one and some
   * network has it, else a name.
   *
   * @throws {NetworkError} NO_NETWORK
   */
  async lookup(nameOrUuid: string): Promise<Network> {
    if (canonicalUuid(nameOrUuid) !== undefined) {
      try {
        return await this.lookupByUuid(nameOrUuid);
      } catch (error) {
        if (!(error instanceof NetworkError) || error.code !== ErrorCode.NO_NETWORK) throw error;
      }
    }
    return this.lookupByName(nameOrUuid);
  }

  /**
   * Saves a definition, as a new network or in place of the saved one of the
   * same name and UUID. A running network uses it from its next start.
   *
   * @param xml libvirt's network XML
   * @throws {NetworkError} with `problems` if the document is refused
   */
  async defineXml(xml: string, options: DefineOptions = {}): Promise<DefinedNetwork> {
    const dryRun = options.dryRun === true ? { dryRun: true } : {};
    const answer = await this.driver.networkDefineXml({ xml, validate: options.validate ?? false, ...dryRun });
    const { warnings, pending, changes } = answer;
    return { network: this.#found(answer), warnings, pending, changes };
  }

  /**
   * Starts a network that exists only until it is stopped.
   *
   * @param xml libvirt's network XML
   * @throws {NetworkError} with `problems` if the document is refused
   */
  async createXml(xml: string, options: DocumentOptions = {}): Promise<MadeNetwork> {
    const answer = await this.driver.networkCreateXml({ xml, validate: options.validate ?? false });
    return { network: this.#found(answer), warnings: answer.warnings };
  }

  /** What would keep the host and its networks from working, the worst first. Touches nothing. */
  diagnose(): Promise<Diagnosis[]> {
    return diagnose(this, undefined);
  }

  /**
   * Tells of what happens to networks until the signal or the end of the
   * connection ends it:
   *
   *     for await (const { kind, network } of connection.watch()) ...
   *
   * The first event is SUBSCRIBED. A connection that breaks is made again by
   * itself, and nothing is missed, or an event RESYNC says that something was.
   *
   * @throws {NetworkError} NO_NETWORK; what the first attempt fails with
   */
  watch(options: WatchOptions = {}): AsyncGenerator<NetworkEvent, void, undefined> {
    const signals = [this.#closed.signal, ...(options.signal === undefined ? [] : [options.signal])];
    return watchEvents(this.driver, { ...options, signal: AbortSignal.any(signals) });
  }

  /** Lets go of the host, and ends what watches it. The networks stay. */
  close(): Promise<void> {
    this.#closed.abort();
    return this.#close();
  }

  /** For `await using`: the same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #found({ network }: { network?: NetworkHandle | undefined }): Network {
    if (network === undefined) throw new NetworkError(ErrorCode.RPC, `the answer of ${this.uri} names no network`);
    return new Network(this, network);
  }

  #info(summary: NetworkSummary): NetworkInfo {
    const { active, persistent, autostart, bridge, forwardMode, addresses } = summary;
    return {
      network: this.#found(summary),
      active,
      persistent,
      autostart,
      ...(bridge === '' ? {} : { bridge }),
      mode: forwardMode === '' ? 'isolated' : forwardMode,
      addresses,
    };
  }
}

/**
 * One network of a host. It holds no state but its name and UUID: every verb
 * asks the host, and throws NetworkError (NO_NETWORK if it is gone).
 */
export class Network {
  readonly connection: Connection;
  /** The name, unique on its host. */
  readonly name: string;
  /** The UUID: 36 characters, lower case, with dashes. */
  readonly uuid: string;

  constructor(connection: Connection, { name, uuid }: NetworkHandle) {
    this.connection = connection;
    this.name = name;
    this.uuid = uuid;
  }

  /** Starts it. @throws {NetworkError} OPERATION_INVALID if it is active already */
  async start(): Promise<void> {
    await this.#driver.networkCreate({ network: this.#handle });
  }

  /**
   * Stops it; a transient one is gone afterwards.
   *
   * @param options.force stop it even if guests are plugged into it; its ports
   * are plugged in again when it starts
   * @throws {NetworkError} OPERATION_INVALID if it is inactive, or in use
   */
  async destroy(options: { force?: boolean } = {}): Promise<void> {
    await this.#driver.networkDestroy({ network: this.#handle, ...options });
  }

  /** Forgets its definition; if it is active it runs on as a transient network. @throws {NetworkError} OPERATION_INVALID if it is transient */
  async undefine(): Promise<void> {
    await this.#driver.networkUndefine({ network: this.#handle });
  }

  /**
   * Its definition as XML.
   *
   * @param options.inactive the saved definition, even if the network is active
   */
  async dumpXml(options: { inactive?: boolean } = {}): Promise<string> {
    return (await this.#driver.networkDumpXml({ network: this.#handle, inactive: options.inactive ?? false })).xml;
  }

  /** The name of its bridge device on the host. @throws {NetworkError} INTERNAL_ERROR if it has none */
  async bridgeName(): Promise<string> {
    return (await this.#driver.networkGetBridgeName({ network: this.#handle })).bridge;
  }

  /** Whether it starts with the host. */
  async autostart(): Promise<boolean> {
    return (await this.#driver.networkGetAutostart({ network: this.#handle })).autostart;
  }

  /** Lets it start with the host, or not. @throws {NetworkError} OPERATION_INVALID if it is transient */
  async setAutostart(autostart: boolean): Promise<void> {
    await this.#driver.networkSetAutostart({ network: this.#handle, autostart });
  }

  /** Whether it stands on the host. */
  async isActive(): Promise<boolean> {
    return (await this.#driver.networkIsActive({ network: this.#handle })).active;
  }

  /** Whether its definition is saved. */
  async isPersistent(): Promise<boolean> {
    return (await this.#driver.networkIsPersistent({ network: this.#handle })).persistent;
  }

  /**
   * The DHCP leases on it that have not expired, ordered by address.
   *
   * @param options.mac only those of this MAC address
   */
  async leases(options: { mac?: string } = {}): Promise<DhcpLease[]> {
    return (await this.#driver.networkGetDhcpLeases({ network: this.#handle, mac: options.mac ?? '' })).leases;
  }

  /**
   * Makes a port: a guest's place on it.
   *
   * @param xml libvirt's network port XML
   * @throws {NetworkError} with `problems` if the document is refused;
   * OPERATION_INVALID if the network is inactive
   */
  createPort(xml: string, options: PortOptions = {}): Promise<MadePort> {
    return createPort(this, xml, options);
  }

  /** Its ports, ordered by UUID. @throws {NetworkError} OPERATION_INVALID if it is inactive and keeps none */
  async ports(): Promise<NetworkPort[]> {
    return (await this.#driver.networkListAllPorts({ network: this.#handle })).ports.map((port) => portOf(this, port));
  }

  /** Finds one of its ports by UUID, in any spelling. @throws {NetworkError} NO_NETWORK_PORT, INVALID_ARG if it is no UUID */
  async lookupPort(uuid: string): Promise<NetworkPort> {
    return portOf(this, (await this.#driver.networkPortLookupByUuid({ network: this.#handle, uuid })).port);
  }

  /**
   * Changes one part of it, all or nothing; what the change does not concern
   * is not touched.
   *
   * @throws {NetworkError} OPERATION_INVALID if the part clashes with one that
   * is there or is not there; with `problems` if it is refused
   */
  async update(change: NetworkChange, where: UpdateOptions = {}): Promise<NetworkUpdateResponse> {
    return this.#driver.networkUpdate({
      network: this.#handle, command: updateCommands.indexOf(change.command), section: updateSections.indexOf(change.section), xml: change.xml,
      ...(change.parentIndex === undefined ? {} : { parentIndex: change.parentIndex }), ...definitionsOf(where), dryRun: where.dryRun ?? false,
    });
  }

  /** Its title. @throws {NetworkError} NO_NETWORK_METADATA if it has none */
  async title(where: Where = {}): Promise<string> {
    return this.#metadata(MetadataType.TITLE, '', where);
  }

  /** Gives it a title of one line; an empty one takes it away. */
  async setTitle(title: string, where: Where = {}): Promise<void> {
    await this.#setMetadata(MetadataType.TITLE, title, '', '', where);
  }

  /** Its description. @throws {NetworkError} NO_NETWORK_METADATA if it has none */
  async description(where: Where = {}): Promise<string> {
    return this.#metadata(MetadataType.DESCRIPTION, '', where);
  }

  /** Gives it a description; an empty one takes it away. */
  async setDescription(description: string, where: Where = {}): Promise<void> {
    await this.#setMetadata(MetadataType.DESCRIPTION, description, '', '', where);
  }

  /** The XML element that a program keeps with it, by the URI of its namespace. @throws {NetworkError} NO_NETWORK_METADATA if there is none */
  async metadata(uri: string, where: Where = {}): Promise<string> {
    return this.#metadata(MetadataType.ELEMENT, uri, where);
  }

  /**
   * Keeps a program's XML element with it, in place of the one of the same namespace.
   *
   * @param xml the element; empty takes it away
   * @param key the prefix that the namespace gets in the definition
   */
  async setMetadata(uri: string, key: string, xml: string, where: Where = {}): Promise<void> {
    await this.#setMetadata(MetadataType.ELEMENT, xml, key, uri, where);
  }

  /** Takes a leased address back, so that another guest can get it. @throws {NetworkError} OPERATION_INVALID if it is not leased */
  async releaseLease(address: string): Promise<void> {
    await this.#driver.networkReleaseDhcpLease({ network: this.#handle, ipAddress: address });
  }

  /** All that a table shows of it, from one moment. @throws {NetworkError} NO_NETWORK */
  async info(): Promise<NetworkInfo> {
    const all = await this.connection.listAllNetworks();
    const info = all.find(({ network }) => network.uuid === this.uuid);
    if (info === undefined) throw new NetworkError(ErrorCode.NO_NETWORK, `no network with matching uuid '${this.uuid}' (${this.name})`);
    return info;
  }

  /** What would keep it from working, and what is wrong with its host, the worst first. Touches nothing. */
  diagnose(): Promise<Diagnosis[]> {
    return diagnose(this.connection, this.#handle);
  }

  async #metadata(type: MetadataType, uri: string, where: Where): Promise<string> {
    return (await this.#driver.networkGetMetadata({ network: this.#handle, type, uri, ...definitionsOf(where) })).metadata;
  }

  async #setMetadata(type: MetadataType, metadata: string, key: string, uri: string, where: Where): Promise<void> {
    await this.#driver.networkSetMetadata({ network: this.#handle, type, metadata, key, uri, ...definitionsOf(where) });
  }

  get #driver(): NetworkDriver {
    return this.connection.driver;
  }

  get #handle(): NetworkHandle {
    return { name: this.name, uuid: this.uuid };
  }
}

/** By the contract's numbers: to have their names loads all of the generated code, which completion cannot wait for. */
const severities: Partial<Record<Severity, Diagnosis['severity']>> = { 1: 'error', 2: 'warning', 3: 'ok' };

async function diagnose(connection: Connection, network: NetworkHandle | undefined): Promise<Diagnosis[]> {
  const { findings } = await connection.driver.diagnose({ network });
  return findings.map((finding: Finding) => ({
    severity: severities[finding.severity] ?? 'warning',
    check: finding.check,
    ...(finding.network === undefined ? {} : { network: new Network(connection, finding.network) }),
    message: finding.message,
    ...(finding.advice === '' ? {} : { advice: finding.advice }),
  }));
}

function definitionsOf({ live = false, config = false }: Where): Required<Where> {
  return { live, config };
}
