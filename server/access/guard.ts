/**
 * Lives here: a driver as far as one caller may see it and may change it: every
 * call is decided on the network that it is about, at the moment at which it
 * begins. Does not know: who the caller is, how rights come about.
 *
 * A network that the caller may not see is not there for it: it gets what it
 * would get for a name that nobody has. Between the decision and the call
 * nothing else runs, and the call gets the UUID that was decided on.
 */
import type { NetworkError } from '../../shared/errors.js';
import { NetworkDriverDefinition, type Network, type NetworkDriver } from '../../shared/gen/vnet/v1/network_driver.js';
import { changes } from '../../shared/procedures.js';
import type { LocalNetworkDriver } from '../driver/local-driver.js';
import { handleIn, networkDefined } from './document.js';
import { watchVisible } from './guarded-events.js';
import { visibleStatus } from './guarded-status.js';
import { mentions, withoutMention } from './mentions.js';
import { driverRequirements, type Permission, type Requirement } from './permissions.js';
import { denied, hide } from './refusal.js';
import type { Rights } from './rights.js';

/** The driver in this process: one that says at once which network is meant. */
export type GuardedDriver = NetworkDriver & Pick<LocalNetworkDriver, 'which' | 'all'>;

/** For whom a driver is guarded. */
export interface Caller {
  /** Its name, for refusals. */
  readonly who: string;
  /** What it may do at this moment. */
  rights(): Rights;
}

type Key = keyof NetworkDriver;
type Request<K extends Key> = Parameters<NetworkDriver[K]>[0];
type Answer<K extends Key> = ReturnType<NetworkDriver[K]> extends Promise<infer A> ? A : never;

/** Guards a driver for one caller. */
export function guardDriver(driver: GuardedDriver, caller: Caller): NetworkDriver {
  const guard = new Guard(driver, caller);
  const on = <K extends Key>(key: K) => guard.onNetwork(key);
  return {
    open: guard.asIs('open'),
    close: guard.asIs('close'),
    ...guardLists(driver, guard),
    networkLookupByUuid: guard.lookup('networkLookupByUuid', ({ uuid }) => ({ name: '', uuid })),
    networkLookupByName: guard.lookup('networkLookupByName', ({ name }) => ({ name, uuid: '' })),
    networkCreateXml: guard.onDocument('networkCreateXml'),
    networkDefineXml: guard.onDocument('networkDefineXml'),
    networkListRevisions: on('networkListRevisions'),
    networkUndefine: on('networkUndefine'),
    networkCreate: on('networkCreate'),
    networkDestroy: on('networkDestroy'),
    networkDumpXml: on('networkDumpXml'),
    networkGetBridgeName: on('networkGetBridgeName'),
    networkGetAutostart: on('networkGetAutostart'),
    networkSetAutostart: on('networkSetAutostart'),
    networkIsActive: on('networkIsActive'),
    networkIsPersistent: on('networkIsPersistent'),
    networkGetDhcpLeases: on('networkGetDhcpLeases'),
    networkReleaseDhcpLease: on('networkReleaseDhcpLease'),
    networkUpdate: on('networkUpdate'),
    networkGetMetadata: on('networkGetMetadata'),
    networkSetMetadata: on('networkSetMetadata'),
    watchNetworkEvents: (request, signal) => watchVisible(driver, guard, request, signal),
    networkPortLookupByUuid: on('networkPortLookupByUuid'),
    networkPortCreateXml: on('networkPortCreateXml'),
    networkPortGetXmlDesc: on('networkPortGetXmlDesc'),
    networkPortGetParameters: on('networkPortGetParameters'),
    networkPortSetParameters: on('networkPortSetParameters'),
    networkPortDelete: on('networkPortDelete'),
    networkListAllPorts: on('networkListAllPorts'),
  };
}

/** The calls that tell of many networks: those that the caller may not see are left out. */
function guardLists(driver: GuardedDriver, guard: Guard): Pick<NetworkDriver,
  'numOfNetworks' | 'listNetworks' | 'numOfDefinedNetworks' | 'listDefinedNetworks' | 'listAllNetworks' | 'diagnose' | 'getStatus'> {
  const names = async (key: 'listNetworks' | 'listDefinedNetworks') => {
    const { names: found } = await guard.call(key, { maxNames: 0 });
    return found.filter((name) => guard.shows(key, name));
  };
  const atMost = (count: number, found: string[]) => (count === 0 ? found : found.slice(0, count));
  return {
    numOfNetworks: async () => ({ count: (await names('listNetworks')).length }),
    listNetworks: async ({ maxNames }) => ({ names: atMost(maxNames, await names('listNetworks')) }),
    numOfDefinedNetworks: async () => ({ count: (await names('listDefinedNetworks')).length }),
    listDefinedNetworks: async ({ maxNames }) => ({ names: atMost(maxNames, await names('listDefinedNetworks')) }),
    listAllNetworks: async (filter) => {
      const { networks } = await guard.call('listAllNetworks', filter);
      return { networks: networks.filter(({ network }) => guard.shows('listAllNetworks', network?.name ?? '')) };
    },
    diagnose: async (request) => {
      guard.check('diagnose');
      const target = request.network === undefined ? request : { network: guard.decide('diagnose', request.network, driverRequirements.diagnose.shows) };
      const { findings } = await guard.call('diagnose', target);
      const hidden = guard.hidden();
      return {
        findings: findings.filter(({ network, message, advice }) => (network === undefined || guard.shows('diagnose', network.name))
          && !mentions(`${message}\n${advice}`, hidden)),
      };
    },
    getStatus: async (request) => {
      guard.check('getStatus');
      const target = request.network === undefined ? request : { network: guard.decide('getStatus', request.network, driverRequirements.getStatus.shows) };
      return visibleStatus(await guard.call('getStatus', target), (name) => guard.shows('getStatus', name), guard.hidden());
    },
  };
}

/** The decisions. */
export class Guard {
  readonly #driver: GuardedDriver;
  readonly #caller: Caller;

  constructor(driver: GuardedDriver, caller: Caller) {
    this.#driver = driver;
    this.#caller = caller;
  }

  get rights(): Rights {
    return this.#caller.rights();
  }

  /** Whether a call that tells of many networks tells of this one. */
  shows(key: Key, name: string): boolean {
    return this.rights.may(requirementOf(key).shows ?? [], name);
  }

  /** Every network that is not there for the caller. */
  hidden(): Network[] {
    return this.#driver.all().filter(({ name }) => !this.rights.sees(name));
  }

  /** What a call needs that is about no network. @throws {NetworkError} ACCESS_DENIED */
  check(key: Key): void {
    const permission = this.rights.missingEverywhere(requirementOf(key).needs);
    if (permission !== undefined) throw this.#denied(key, permission);
  }

  /**
   * The network that a handle is about, if the caller may do this to it.
   *
   * @throws {NetworkError} as the driver for a handle that is none; NO_NETWORK
   * if it is not there for the caller; ACCESS_DENIED
   */
  decide(key: Key, handle: Network | undefined, needs: readonly Permission[]): Network {
    const found = this.#driver.which(handle);
    if (!this.rights.sees(found.name)) throw hide(handle, found);
    const permission = this.rights.missing(needs, found.name);
    if (permission !== undefined) throw this.#denied(key, permission, found.name);
    return found;
  }

  /** A call without a decision of its own: what it fails with tells of nothing that is hidden. */
  async call<K extends Key>(key: K, request: Request<K>, signal?: AbortSignal): Promise<Answer<K>> {
    this.check(key);
    // What is hidden now, and in the way of a change, may be gone when that has failed.
    const before = changes(NetworkDriverDefinition.methods[key]) ? this.hidden() : [];
    try {
      const method = this.#driver[key].bind(this.#driver) as unknown as (request: Request<K>, signal?: AbortSignal) => Promise<Answer<K>>;
      return await method(request, signal);
    } catch (error) {
      throw withoutMention(error, [...before, ...this.hidden()]);
    }
  }

  /** A call that is about no network. */
  asIs<K extends Key>(key: K): (request: Request<K>, signal?: AbortSignal) => Promise<Answer<K>> {
    return async (request, signal) => this.call(key, request, signal);
  }

  /** A call that finds a network. An empty word finds none, and is the driver's to refuse. */
  lookup<K extends 'networkLookupByUuid' | 'networkLookupByName'>(key: K, handleOf: (request: Request<K>) => Network): (request: Request<K>) => Promise<Answer<K>> {
    return async (request) => {
      const handle = handleOf(request);
      if (handle.name !== '' || handle.uuid !== '') this.decide(key, handle, requirementOf(key).needs);
      return this.call(key, request);
    };
  }

  /** A call that is about one network, or about a port of it. */
  onNetwork<K extends Key>(key: K): (request: Request<K>, signal?: AbortSignal) => Promise<Answer<K>> {
    return async (request, signal) => {
      const { needs, also } = requirementOf(key);
      // Without a handle it is about nothing, and the driver's to refuse.
      if (!('network' in request) && !hasPort(request)) return this.call(key, request, signal);
      const needed = also?.applies(request as never) === true ? [...needs, also.permission] : needs;
      const network = this.decide(key, handleIn(request), needed);
      const decided = hasPort(request) ? { ...request, port: { ...request.port, network } } : { ...request, network };
      return this.call(key, decided as Request<K>, signal);
    };
  }

  /** A call with the document of a network: the name in it decides, whether there is such a network or not. */
  onDocument<K extends 'networkCreateXml' | 'networkDefineXml'>(key: K): (request: Request<K>) => Promise<Answer<K>> {
    return async (request) => {
      const network = networkDefined(request);
      const permission = network && this.rights.missing(requirementOf(key).needs, network.name);
      if (network !== undefined && permission !== undefined) throw this.#denied(key, permission, network.name);
      return this.call(key, request);
    };
  }

  #denied(key: Key, permission: Permission, network?: string): NetworkError {
    const { name } = NetworkDriverDefinition.methods[key];
    return denied({ procedure: name, permission, who: this.#caller.who, ...(network === undefined ? {} : { network }) });
  }
}

function hasPort(request: object): request is { port: { network?: Network; uuid: string } } {
  return 'port' in request && request.port !== undefined;
}

function requirementOf(key: Key): Requirement<never> {
  return driverRequirements[key];
}
