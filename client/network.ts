/**
 * Lives here: one network of a host, with the verbs a person would look for.
 * Does not know: how it was found (see `connection.ts`), transports.
 */
import { ErrorCode, NetworkError } from '../shared/errors.js';
import {
  MetadataType, type DhcpLease, type Network as NetworkHandle, type NetworkDriver, type NetworkRevision, type NetworkStatus, type NetworkUpdateResponse,
} from '../shared/gen/vnet/v1/network_driver.js';
import { updateCommands, updateSections, type UpdateCommandWord, type UpdateSectionWord } from '../shared/update-words.js';
import type { Connection } from './connection.js';
import { diagnose, type Diagnosis } from './diagnosis.js';
import { createPort, NetworkPort, portOf, type MadePort, type PortOptions } from './port.js';

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

  /** The revisions of its saved definition, the one in force first, without their XML; none if it is transient. */
  async history(): Promise<NetworkRevision[]> {
    return (await this.#driver.networkListRevisions({ network: this.#handle })).revisions;
  }

  /** One of those revisions, with its XML. @throws {NetworkError} INVALID_ARG if it is not kept */
  async revision(revision: number): Promise<NetworkRevision> {
    const [found] = (await this.#driver.networkListRevisions({ network: this.#handle, revision })).revisions;
    if (found === undefined) throw new NetworkError(ErrorCode.RPC, `the answer holds no revision ${revision}`);
    return found;
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

  /** How it is: what is wrong with it now, and what was repaired since the daemon started. Touches nothing, and looks at nothing. */
  async status(): Promise<NetworkStatus> {
    const [status] = (await this.#driver.getStatus({ network: this.#handle })).networks;
    if (status === undefined) throw new NetworkError(ErrorCode.RPC, `the answer says nothing of network '${this.name}'`);
    return status;
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

function definitionsOf({ live = false, config = false }: Where): Required<Where> {
  return { live, config };
}
