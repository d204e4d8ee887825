/**
 * Lives here: what becomes of a network's ports when it stops, starts again,
 * or is gone, and when the daemon starts: they are kept and plugged in again.
 * Everything here runs under the network's lock or before there are callers,
 * and nothing throws: a port that cannot be plugged in holds nobody up. Does
 * not know: how a port is made.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { parseNetwork, parseNetworkPort } from '../../shared/definition/index.js';
import { EventKind } from '../../shared/gen/vnet/v1/network_driver.js';
import type { NetworkPlan } from './host.js';
import type { IdentifiedDefinition } from './identity.js';
import type { Estate } from './lifecycle.js';
import { replugPort, type PoolDevice } from './port-allocation.js';
import { booksOf, planOfPort, portHandle, portsOf, storedPort, type DecidedPort, type KnownPort } from './port-book.js';
import type { NetworkRecord } from './register.js';
import type { LiveRecord, PortRecord } from './store.js';

/** So many guests are named where a network is in use. */
const mostNamed = 3;

/** @throws {NetworkError} OPERATION_INVALID, naming who uses it, if the network has ports */
export function refuseInUse(record: NetworkRecord): void {
  const owners = [...new Set(portsOf(record).map(({ definition }) => definition.owner.name))];
  if (owners.length === 0) return;
  const named = owners.slice(0, mostNamed).map((owner) => `'${owner}'`);
  const more = owners.length - named.length;
  const list = more > 0 ? [...named, `${more} more`] : named;
  const words = list.length === 1 ? list[0] : `${list.slice(0, -1).join(', ')} and ${list.at(-1)}`;
  throw new NetworkError(ErrorCode.OPERATION_INVALID, `network '${record.name}' is in use by ${words}`, {
    hint: `to stop it all the same: vnet destroy --force ${record.name}; its ports are plugged in again when it starts`,
  });
}

/** The devices that a network's physical function offers; none if it has none. @throws {NetworkError} as Host.pool */
export async function openPool(estate: Estate, plan: NetworkPlan): Promise<PoolDevice[]> {
  return plan.definition.forward?.pf === undefined ? [] : estate.host.pool(plan);
}

/** Plugs in every port that was kept while the network was down. */
export async function plugKept(estate: Estate, record: NetworkRecord, plan: NetworkPlan): Promise<void> {
  for (const port of portsOf(record).filter(({ state }) => state === 'unplugged')) await plug(estate, record, plan, port);
}

/**
 * After a network was stopped: the ports of one that is saved are kept, those
 * of a transient one are gone.
 */
export async function leavePorts(estate: Estate, record: NetworkRecord, plan: NetworkPlan): Promise<void> {
  record.pool = [];
  if (record.saved === undefined) return dropPorts(estate, record, plan);
  for (const port of portsOf(record)) {
    port.state = 'unplugged';
    await attempt(estate, record, port, 'be taken off its network', async () => {
      await estate.store.savePort(storedPort(record.uuid, port));
      // A bridge of our own is gone with all that was in it. Guests keep their devices, or they could not be plugged in again.
      if (plan.bridge === '') await estate.host.detach(plan, planOfPort(plan, port), { keepDevice: true });
    });
  }
}

/** Removes all ports of a network that is gone. */
export async function dropPorts(estate: Estate, record: NetworkRecord, plan: NetworkPlan): Promise<void> {
  for (const port of portsOf(record)) {
    await attempt(estate, record, port, 'be removed in full', () => estate.host.detach(plan, planOfPort(plan, port)));
    await attempt(estate, record, port, 'be forgotten', () => estate.store.removePort(record.uuid, port.definition.uuid));
    record.ports.delete(port.definition.uuid);
    estate.journal.record(EventKind.PORT_REMOVED, record, { port: portHandle(record, port) });
  }
}

/** What the host is told of a network; handed in, as its room knows this one. */
type PlanOf = (definition: IdentifiedDefinition) => NetworkPlan;

/**
 * Brings ports back to where the last daemon left them, once all networks are
 * known.
 *
 * @param live what was on the host when it ended; some of it may be undone
 */
export async function recoverPorts(estate: Estate, records: PortRecord[], live: LiveRecord[], planOf: PlanOf): Promise<void> {
  const known = new Map(estate.register.list().map((record) => [record.uuid, record]));
  const networks = new Map<NetworkRecord, KnownPort[]>();
  for (const stored of records) {
    const record = known.get(stored.network);
    if (record === undefined) {
      await forgetPort(estate, stored, live.find(({ uuid }) => uuid === stored.network), planOf);
      continue;
    }
    try {
      const port = readPort(stored);
      record.ports.set(stored.uuid, port);
      if (stored.next !== undefined) await unchange(estate, record, port, readPort({ ...stored, xml: stored.next }), planOf);
      networks.set(record, [...networks.get(record) ?? [], port]);
    } catch (error) {
      estate.log.error({ port: stored.uuid, network: record.name, err: error }, 'a port cannot be read and is left alone');
    }
  }
  const { interfaces } = networks.size === 0 ? { interfaces: [] } : await estate.host.observe([]);
  for (const record of known.values()) await recoverNetwork(estate, record, networks.get(record) ?? [], new Set(interfaces), planOf(record.current as IdentifiedDefinition));
}

/** Brings a port back that a daemon was killed in changing. */
async function unchange(estate: Estate, record: NetworkRecord, port: KnownPort, half: KnownPort, planOf: PlanOf): Promise<void> {
  const plan = planOf(record.current as IdentifiedDefinition);
  await attempt(estate, record, port, 'be brought back to what it was before a change', async () => {
    if (record.live !== undefined) await estate.host.reshape(plan, planOfPort(plan, half), planOfPort(plan, port));
    await estate.store.savePort(storedPort(record.uuid, port));
  });
}

/** Removes a port whose network is not known any more, such as a transient one that was undone. */
async function forgetPort(estate: Estate, stored: PortRecord, network: LiveRecord | undefined, planOf: PlanOf): Promise<void> {
  estate.log.warn({ port: stored.uuid, network: stored.network }, 'a port is forgotten: its network is not known any more');
  try {
    // Of one that was undefined while it was inactive nothing is left but its ports.
    const xml = network?.xml ?? `<network><name>gone</name><uuid>${stored.network}</uuid></network>`;
    const plan = planOf(parseNetwork(xml, { validate: false }).definition as IdentifiedDefinition);
    await estate.host.detach(plan, planOfPort(plan, readPort(stored)));
    await estate.store.removePort(stored.network, stored.uuid);
  } catch (error) {
    estate.log.error({ port: stored.uuid, network: stored.network, err: error }, 'a port could not be forgotten in full');
  }
}

function readPort({ xml, attachment, state }: PortRecord): KnownPort {
  return { definition: parseNetworkPort(xml).definition as DecidedPort, state, ...(attachment === undefined ? {} : { attachment }) };
}

/** Undoes what was left half-done; of an active network, plugs in what is not. */
async function recoverNetwork(estate: Estate, record: NetworkRecord, ports: KnownPort[], interfaces: ReadonlySet<string>, plan: NetworkPlan): Promise<void> {
  if (record.live !== undefined) {
    record.pool = await openPool(estate, plan).catch((error: unknown) => {
      estate.log.error({ network: record.name, err: error }, 'the pool of a network cannot be read');
      return [];
    });
  }
  for (const port of ports) {
    if (port.state === 'adding' || port.state === 'removing') {
      record.ports.delete(port.definition.uuid);
      await attempt(estate, record, port, 'be undone in full', () => estate.host.detach(plan, planOfPort(plan, port)));
      await attempt(estate, record, port, 'be forgotten', () => estate.store.removePort(record.uuid, port.definition.uuid));
      estate.log.warn({ network: record.name, port: port.definition.uuid }, 'a port was left half-done: undone');
    } else if (record.live === undefined || (port.attachment !== undefined && !interfaces.has(port.attachment.device))) {
      port.state = 'unplugged';
      await attempt(estate, record, port, 'be recorded', () => estate.store.savePort(storedPort(record.uuid, port)));
    }
  }
  if (record.live !== undefined) await plugKept(estate, record, plan);
}

/** Decides about a kept port anew and plugs it in; if it cannot be, it stays as it is. */
async function plug(estate: Estate, record: NetworkRecord, plan: NetworkPlan, port: KnownPort): Promise<void> {
  await attempt(estate, record, port, 'be plugged in again', async () => {
    const definition = replugPort(booksOf(record, plan.definition, port), port.definition) as DecidedPort;
    const after: KnownPort = { ...port, definition, state: 'plugged' };
    await estate.host.attach(plan, planOfPort(plan, after));
    await estate.store.savePort(storedPort(record.uuid, after));
    Object.assign(port, after);
    estate.log.info({ network: record.name, port: definition.uuid, owner: definition.owner.name }, 'port plugged in again');
  });
}

/** Does one thing to one port; a failure is logged and told. */
async function attempt(estate: Estate, record: NetworkRecord, port: KnownPort, what: string, step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    const { uuid, owner } = port.definition;
    estate.log.error({ network: record.name, port: uuid, owner: owner.name, err: error }, `a port could not ${what}`);
    const why = error instanceof NetworkError ? error.message : 'see the log';
    estate.journal.record(EventKind.FAILED, record, { port: portHandle(record, port), detail: `port ${uuid} of '${owner.name}' could not ${what}: ${why}` });
  }
}
