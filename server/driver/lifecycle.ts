/**
 * Lives here: how a network comes and goes: define, create, start, stop,
 * undefine, autostart; which of these is legal when, and the order of store
 * and host in each. Does not know: how a request arrived, how the host does
 * it, what a file is.
 */
import { ErrorCode, messageOf, NetworkError } from '../../shared/errors.js';
import { EventKind } from '../../shared/gen/vnet/v1/network_driver.js';
import { formatNetwork, isManaged, parseNetwork, validateNetwork, type NetworkDefinition } from '../../shared/definition/index.js';
import type { Log } from '../log.js';
import type { Journal } from './events.js';
import type { RepairCounts } from './health.js';
import type { Host, NetworkPlan } from './host.js';
import type { Stamp } from './history.js';
import { identify, nameBridge, needsBridgeName, type IdentifiedDefinition } from './identity.js';
import type { NetworkRecord, Register } from './register.js';
import { refuseOtherRevision, saveRevision, type Expectation } from './revisions.js';
import type { LiveRecord, Store } from './store.js';
import { refuseOverlap } from './overlap.js';
import { dropPorts, leavePorts, openPool, plugKept, refuseInUse } from './port-revival.js';
import { goBack, type Undo } from './undo.js';

/** What the steps below work on. */
export interface Estate {
  register: Register;
  host: Host;
  store: Store;
  journal: Journal;
  /** How often what of all networks was repaired. */
  repairs: RepairCounts;
  log: Log;
}

/** A definition that came in, and what was left out of it. */
export interface Accepted {
  record: NetworkRecord;
  definition: IdentifiedDefinition;
  warnings: string[];
}

/** What the host is told of a network. */
export function planOf(definition: IdentifiedDefinition): NetworkPlan {
  const bridge = isManaged(definition) ? definition.bridge?.name ?? '' : '';
  return { uuid: definition.uuid, name: definition.name, bridge, definition };
}

/**
 * Saves a definition.
 *
 * @throws {NetworkError} for the document; OPERATION_FAILED if the identity is
 * another network's; INTERNAL_ERROR if the bridge name is; OPERATION_INVALID if
 * another revision is saved than the caller expects
 */
export async function define(
  estate: Estate, xml: string, strict: boolean, { expectedRevision = 0, rollbackTo = 0 }: Expectation = {},
): Promise<Accepted & { stamp: Stamp }> {
  const accepted = await accept(estate, xml, strict);
  const { record, definition } = accepted;
  return claimed(estate, accepted, async () => {
    refuseOtherRevision(record, expectedRevision);
    const stamp = await saveRevision(estate, record, definition, rollbackTo === 0 ? 'define' : `rollback to ${rollbackTo}`);
    record.saved = definition;
    estate.journal.record(EventKind.DEFINED, record);
    estate.log.info({ network: record.name, uuid: record.uuid }, 'network defined');
    return { ...accepted, stamp };
  });
}

/**
 * Starts a network from a definition that is not saved.
 *
 * @throws {NetworkError} as {@link define}; OPERATION_INVALID if it is active;
 * as {@link start}
 */
export async function create(estate: Estate, xml: string, strict: boolean): Promise<Accepted> {
  const accepted = await accept(estate, xml, strict);
  const { record, definition } = accepted;
  return claimed(estate, accepted, async () => {
    if (record.live !== undefined) {
      throw new NetworkError(ErrorCode.OPERATION_INVALID, `network is already active as '${record.name}'`);
    }
    await raise(estate, record, definition);
    return accepted;
  });
}

/** Starts an inactive network. @throws {NetworkError} OPERATION_INVALID if it is active */
export function start(estate: Estate, record: NetworkRecord): Promise<void> {
  return record.exclusive(async () => {
    const definition = record.current;
    if (record.live !== undefined) {
      throw new NetworkError(ErrorCode.OPERATION_INVALID, 'network is already active');
    }
    record.claims.add(definition);
    try {
      await raise(estate, record, definition as IdentifiedDefinition);
    } finally {
      estate.register.release(record, definition);
    }
  });
}

/** Stops an active network. @throws {NetworkError} OPERATION_INVALID if it is inactive, or has ports and is not forced */
export function stop(estate: Estate, record: NetworkRecord, force = false): Promise<void> {
  return record.exclusive(async () => {
    const definition = record.current as IdentifiedDefinition;
    if (record.live === undefined) {
      throw new NetworkError(ErrorCode.OPERATION_INVALID, `network '${record.name}' is not active`);
    }
    if (!force) refuseInUse(record);
    await estate.store.saveLive(liveRecord(definition, 'stopping'));
    await estate.host.tearDown(planOf(definition), { forget: record.saved === undefined });
    await leavePorts(estate, record, planOf(definition));
    record.live = undefined;
    record.health.clear();
    estate.register.prune(record);
    estate.journal.record(EventKind.STOPPED, record);
    await estate.store.removeLive(record.uuid).catch((error: unknown) => {
      // It says that the network was being stopped: there is nothing left for a later daemon to undo.
      estate.log.warn({ network: record.name, err: error }, 'the record of a network that is stopped could not be removed');
    });
    estate.log.info({ network: record.name, uuid: record.uuid }, 'network stopped');
  });
}

/** Forgets a saved definition. @throws {NetworkError} OPERATION_INVALID if there is none */
export function undefine(estate: Estate, record: NetworkRecord): Promise<void> {
  return record.exclusive(async () => {
    const definition = record.current as IdentifiedDefinition;
    if (record.saved === undefined) {
      throw new NetworkError(ErrorCode.OPERATION_INVALID, "can't undefine transient network");
    }
    await estate.store.removeDefinition(record.name, record.uuid);
    record.saved = undefined;
    record.stamp = undefined;
    record.autostart = false;
    estate.journal.record(EventKind.UNDEFINED, record);
    if (record.live === undefined) {
      await dropPorts(estate, record, planOf(definition));
      estate.register.prune(record);
      await forget(estate, planOf(definition));
    }
    estate.log.info({ network: record.name, uuid: record.uuid }, 'network undefined');
  });
}

/** Sets the autostart mark. @throws {NetworkError} OPERATION_INVALID for a transient network */
export function setAutostart(estate: Estate, record: NetworkRecord, autostart: boolean): Promise<void> {
  return record.exclusive(async () => {
    void record.current;
    if (record.saved === undefined) {
      throw new NetworkError(ErrorCode.OPERATION_INVALID, 'cannot set autostart for transient network');
    }
    if (record.autostart === autostart) return;
    await estate.store.setAutostart(record.name, autostart);
    record.autostart = autostart;
    estate.journal.record(EventKind.AUTOSTART_CHANGED, record, { detail: autostart ? 'on' : 'off' });
    estate.log.info({ network: record.name, autostart }, 'autostart changed');
  });
}

/**
 * Reads a document, completes it, and claims name, UUID and bridge for it in
 * one step that nothing can come between.
 */
export async function accept(estate: Estate, xml: string, strict: boolean): Promise<Accepted> {
  const { definition: parsed, warnings } = parseNetwork(xml, { strict });
  const interfaces = needsBridgeName(parsed) ? (await estate.host.observe([])).interfaces : [];
  let definition = identify(parsed);
  // Before its bridge is looked at: whoever defines a network anew, and gives no UUID, hears of that.
  estate.register.refuseOthers(definition.name, definition.uuid);
  if (needsBridgeName(definition)) {
    definition = nameBridge(definition, new Set([...interfaces, ...estate.register.bridges(definition.uuid)]));
  } else if (isManaged(definition)) {
    refuseTakenBridge(estate.register, definition);
  }
  const record = estate.register.claim(definition.name, definition.uuid, definition);
  return { record, definition, warnings };
}

/** Does a step under a claim and the network's lock, and ends the claim. */
async function claimed<T>(estate: Estate, { record, definition }: Accepted, step: () => Promise<T>): Promise<T> {
  try {
    return await record.exclusive(step);
  } finally {
    estate.register.release(record, definition);
  }
}

function refuseTakenBridge(register: Register, definition: IdentifiedDefinition): void {
  const bridge = definition.bridge?.name ?? '';
  const owner = register.bridgeOwner(bridge, definition.uuid);
  if (owner !== undefined) {
    throw new NetworkError(ErrorCode.INTERNAL_ERROR, `bridge name '${bridge}' already in use by network '${owner.name}'`, {
      hint: 'leave the name out to get the next free one',
    });
  }
}

/** Makes a definition live, and tells whoever watches whether it does or why not. */
async function raise(estate: Estate, record: NetworkRecord, definition: IdentifiedDefinition): Promise<void> {
  try {
    await makeLive(estate, record, definition);
    estate.journal.record(EventKind.STARTED, record);
  } catch (error) {
    estate.journal.record(EventKind.FAILED, record, { detail: `start: ${messageOf(error)}` });
    throw error;
  }
}

/** Makes a definition live: checked against its neighbours, recorded, brought up, recorded again. */
async function makeLive(estate: Estate, record: NetworkRecord, definition: IdentifiedDefinition): Promise<void> {
  const live = withLiveDefaults(definition);
  refuseUnsound(live);
  const { routes } = await estate.host.observe([]);
  refuseOverlap(estate.register, record, live, routes);
  record.rising = live;
  const back: Undo[] = [];
  const starting = liveRecord(live, 'starting');
  try {
    record.pool = await openPool(estate, planOf(live));
    back.push(() => estate.store.removeLive(live.uuid));
    await estate.store.saveLive(starting);
    // Of a start that failed nothing stands; but nobody else forgets what dnsmasq has written for a network that is not saved.
    if (record.saved === undefined) back.push(() => forget(estate, planOf(live)));
    await estate.host.bringUp(planOf(live));
    if (record.saved !== undefined) back.push(() => estate.host.tearDown(planOf(live), { forget: false }));
    await estate.store.saveLive({ ...starting, state: 'running' });
    record.live = live;
    record.health.clear();
  } catch (error) {
    // Nothing stands then, and nothing is recorded.
    await goBack(back, estate.log, { network: live.name }, 'a failed start could not be undone in full');
    throw error;
  } finally {
    record.rising = undefined;
  }
  await plugKept(estate, record, planOf(live));
  estate.log.info({ network: record.name, uuid: record.uuid, bridge: live.bridge?.name }, 'network started');
}

/**
 * A file that a person wrote is loaded whatever it says, so that it can be
 * seen and mended; what could never stand is refused here.
 */
function refuseUnsound(definition: IdentifiedDefinition): void {
  const problems = validateNetwork(definition);
  const [first] = problems;
  if (first === undefined) return;
  throw new NetworkError(first.code, `network '${definition.name}' cannot be started: ${first.path}: ${first.message}`, {
    problems, hint: `mend it with: vnet edit ${definition.name}`,
  });
}

/** Removes what outlives a stop. The network is gone either way, so a failure is only logged. */
async function forget(estate: Estate, plan: NetworkPlan): Promise<void> {
  try {
    await estate.host.tearDown(plan, { forget: true });
  } catch (error) {
    estate.log.warn({ network: plan.name, err: error }, 'files of an undefined network are left behind');
  }
}

/** The record of what is done with a definition on the host. */
export function liveRecord(definition: IdentifiedDefinition, state: LiveRecord['state']): LiveRecord {
  const { uuid, name, bridge } = planOf(definition);
  return { uuid, name, bridge, state, xml: formatNetwork(definition) };
}

/**
 * What the live definition says beyond the saved one: the NAT ports, as
 * libvirt fills them in so that guests never own privileged ports.
 */
export function withLiveDefaults(definition: IdentifiedDefinition): IdentifiedDefinition {
  const { forward } = definition;
  if (forward?.mode !== 'nat' || forward.nat?.port !== undefined || !translatesAddresses(definition)) return definition;
  return { ...definition, forward: { ...forward, nat: { ...forward.nat, port: { start: 1024, end: 65535 } } } };
}

function translatesAddresses({ ips, forward }: NetworkDefinition): boolean {
  return forward?.nat?.ipv6 === true || ips.some((ip) => ip.family !== 'ipv6');
}
