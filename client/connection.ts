/**
 * Lives here: the object API's connection to the networks of a host: listing,
 * finding and making them. Does not know: what is done with one (see
 * `network.ts`); transports, or where the networks are: everything goes
 * through a NetworkDriver.
 */
import { canonicalUuid } from '../shared/address.js';
import { ErrorCode, NetworkError } from '../shared/errors.js';
import type { GetStatusResponse, HostChange, Network as NetworkHandle, NetworkDriver, NetworkSummary, OpenResponse } from '../shared/gen/vnet/v1/network_driver.js';
import { Administration } from './admin.js';
import { connect, type ConnectedDriver, type ConnectOptions } from './connect.js';
import { diagnose, type Diagnosis } from './diagnosis.js';
import { Network, type NetworkInfo } from './network.js';
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

/** How to read a document. */
export interface DocumentOptions {
  /** Refuse elements and attributes that the format does not know, instead of leaving them out. */
  validate?: boolean;
}

/** How to define a network. */
export interface DefineOptions extends DocumentOptions {
  /** Save nothing: only check the document, and tell what it would change. */
  dryRun?: boolean;
  /** Only if the saved definition is at this revision: nobody's change is lost. */
  expectedRevision?: number;
  /** The document is that of this earlier revision: the history says so. */
  rollbackTo?: number;
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
  /** The revision of its saved definition. */
  revision: number;
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
  /** The daemon itself: who is connected, who one is to it, how much it logs. */
  readonly admin: Administration;
  readonly #close: () => Promise<void>;
  readonly #closed = new AbortController();

  /** Puts the object API on a driver that is connected already. */
  constructor(connected: ConnectedDriver) {
    this.uri = connected.uri;
    this.driver = connected.driver;
    this.admin = new Administration(connected.admin);
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
    const { validate = false, dryRun, expectedRevision, rollbackTo } = options;
    const answer = await this.driver.networkDefineXml({
      xml, validate, ...(dryRun === true ? { dryRun } : {}),
      ...(expectedRevision === undefined ? {} : { expectedRevision }), ...(rollbackTo === undefined ? {} : { rollbackTo }),
    });
    const { warnings, pending, changes, revision } = answer;
    return { network: this.#found(answer), warnings, pending, changes, revision };
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

  /** How all networks are: what is wrong now, what was repaired, which files of the daemon are damaged. Touches nothing, and looks at nothing. */
  status(): Promise<GetStatusResponse> {
    return this.driver.getStatus({ network: undefined });
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
