/**
 * Lives here: which networks exist, under which names, UUIDs and bridge names,
 * and the order of what is done to each. Does not know: the host, the store.
 *
 * Everything here is synchronous but the lock: between a check and the claim
 * that follows it nothing else runs.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { canonicalUuid } from '../../shared/address.js';
import type { NetworkDefinition } from '../../shared/definition/index.js';
import type { Network } from '../../shared/gen/vnet/v1/network_driver.js';
import { NetworkHealth } from './health.js';
import type { PoolDevice } from './port-allocation.js';
import type { Stamp } from './history.js';
import type { KnownPort } from './port-book.js';

/** One network, as the rules see it. */
export class NetworkRecord {
  /** What stands on the host, if it is active. */
  live: NetworkDefinition | undefined;
  /** What is being brought up: its subnets are taken already. */
  rising: NetworkDefinition | undefined;
  /** What is saved, if it is persistent. */
  saved: NetworkDefinition | undefined;
  /** The revision of what is saved; undefined if nothing is. */
  stamp: Stamp | undefined;
  /** Starts with the host. */
  autostart = false;
  /** What is wrong with it, and what was repaired. */
  readonly health = new NetworkHealth();
  /** Its ports by UUID, those on their way in among them. */
  readonly ports = new Map<string, KnownPort>();
  /** What its physical function offers since its start; empty if it has none. */
  pool: readonly PoolDevice[] = [];
  /**
   * Definitions on their way in: their names and bridges are taken already,
   * though nobody sees them yet.
   */
  readonly claims = new Set<NetworkDefinition>();
  private tail: Promise<unknown> = Promise.resolve();

  constructor(readonly name: string, readonly uuid: string) {}

  /** There is something to see: it is active or persistent. */
  get visible(): boolean {
    return this.live !== undefined || this.saved !== undefined;
  }

  /** The definition that a question without a flag is about. */
  get current(): NetworkDefinition {
    const definition = this.live ?? this.saved;
    if (definition === undefined) throw noNetwork(this);
    return definition;
  }

  /** Runs a step when all steps asked for before on this network are done. */
  exclusive<T>(step: () => Promise<T>): Promise<T> {
    const result = this.tail.then(step);
    this.tail = result.catch(() => undefined);
    return result;
  }

  /** The bridge names this network has or is about to have. */
  bridges(): string[] {
    return [this.live, this.saved, ...this.claims].flatMap((definition) => definition?.bridge?.name ?? []);
  }
}

/** The networks of a host. */
export class Register {
  private readonly byUuid = new Map<string, NetworkRecord>();
  private readonly byName = new Map<string, NetworkRecord>();

  /** Every network there is to see, ordered by name. */
  list(): NetworkRecord[] {
    return [...this.byUuid.values()].filter((record) => record.visible)
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  /** Every record, those on their way in among them. */
  all(): Iterable<NetworkRecord> {
    return this.byUuid.values();
  }

  /** @throws {NetworkError} NO_NETWORK */
  findByName(name: string): NetworkRecord {
    const record = this.byName.get(name);
    if (!record?.visible) throw noNetwork({ uuid: '', name });
    return record;
  }

  /** @throws {NetworkError} INVALID_ARG, NO_NETWORK */
  findByUuid(text: string, name = ''): NetworkRecord {
    const uuid = canonicalUuid(text);
    if (uuid === undefined) throw new NetworkError(ErrorCode.INVALID_ARG, `malformed uuid '${text}'`);
    const record = this.byUuid.get(uuid);
    if (!record?.visible) throw noNetwork({ uuid, name });
    return record;
  }

  /** The network a request is about: by UUID, or by name if it gives no UUID. */
  find(handle: Network | undefined): NetworkRecord {
    if (handle?.uuid) return this.findByUuid(handle.uuid, handle.name);
    if (handle?.name) return this.findByName(handle.name);
    throw new NetworkError(ErrorCode.INVALID_NETWORK, 'the request names no network by uuid or name');
  }

  /**
   * The record for a definition with this name and UUID: the one that has
   * both, or a new one that nobody sees yet.
   *
   * @throws {NetworkError} OPERATION_FAILED if another network has the name or the UUID
   */
  claim(name: string, uuid: string, definition: NetworkDefinition): NetworkRecord {
    this.refuseOthers(name, uuid);
    const record = this.byUuid.get(uuid) ?? new NetworkRecord(name, uuid);
    record.claims.add(definition);
    this.byUuid.set(uuid, record);
    this.byName.set(name, record);
    return record;
  }

  /** @throws {NetworkError} OPERATION_FAILED if another network has the name or the UUID */
  refuseOthers(name: string, uuid: string): void {
    const same = this.byUuid.get(uuid);
    if (same !== undefined && same.name !== name) {
      throw new NetworkError(ErrorCode.OPERATION_FAILED, `network '${same.name}' is already defined with uuid ${uuid}`);
    }
    const named = this.byName.get(name);
    if (named !== undefined && named.uuid !== uuid) {
      throw new NetworkError(ErrorCode.OPERATION_FAILED, `network '${name}' already exists with uuid ${named.uuid}`, {
        hint: `to change it, give its <uuid> in the document (vnet edit ${name} does)`,
      });
    }
  }

  /** Ends a claim, whatever came of it. */
  release(record: NetworkRecord, definition: NetworkDefinition): void {
    record.claims.delete(definition);
    this.prune(record);
  }

  /** Drops a record that is neither active nor persistent nor on its way in. */
  prune(record: NetworkRecord): void {
    if (record.visible || record.claims.size > 0) return;
    if (this.byUuid.get(record.uuid) !== record) return;
    this.byUuid.delete(record.uuid);
    this.byName.delete(record.name);
  }

  /** The network other than `except` that has or is about to have this bridge name. */
  bridgeOwner(bridge: string, except: string): NetworkRecord | undefined {
    for (const record of this.byUuid.values()) {
      if (record.uuid !== except && record.bridges().includes(bridge)) return record;
    }
    return undefined;
  }

  /** Every bridge name taken by a network other than `except` (a UUID). */
  bridges(except: string): Set<string> {
    return new Set([...this.byUuid.values()].flatMap((record) => (record.uuid === except ? [] : record.bridges())));
  }
}

/** The error of a handle that leads to no network. @param cause is kept with it, and never sent */
export function noNetwork({ uuid, name }: Network, cause?: unknown): NetworkError {
  const extras = cause === undefined ? {} : { cause };
  if (uuid === '') return new NetworkError(ErrorCode.NO_NETWORK, `no network with matching name '${name}'`, extras);
  return new NetworkError(ErrorCode.NO_NETWORK, `no network with matching uuid '${uuid}'${name === '' ? '' : ` (${name})`}`, extras);
}
