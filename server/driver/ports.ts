/**
 * Lives here: how a port comes, changes and goes while its network is active:
 * the order of books, store and host in each, and the way back. Does not know:
 * what a network decides about a port, how a request arrived.
 */
import { randomUUID } from 'node:crypto';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { canonicalUuid } from '../../shared/address.js';
import { parseNetworkPort, type Bandwidth, type NetworkDefinition, type NetworkPortDefinition, type PortPlug } from '../../shared/definition/index.js';
import { EventKind, type Attachment, type NetworkPort } from '../../shared/gen/vnet/v1/network_driver.js';
import type { NetworkPlan } from './host.js';
import type { IdentifiedDefinition } from './identity.js';
import { planOf, type Estate } from './lifecycle.js';
import { allocatePort, groupOf, reclaimPort, withBandwidth } from './port-allocation.js';
import { booksOf, planOfPort, portDevices, portHandle, requireLive, storedPort, type DecidedPort, type KnownPort } from './port-book.js';
import { decideAttachment } from './port-device.js';
import type { NetworkRecord } from './register.js';
import { goBack, type Undo } from './undo.js';

/** A request for a port. */
export interface PortRequest {
  xml: string;
  /** The guest runs already on the plug that the document names. */
  reclaim: boolean;
  /** Refuse what the format does not know. */
  strict: boolean;
  attachment: Attachment | undefined;
}

/** A port and the network it is on. */
export interface FoundPort {
  record: NetworkRecord;
  port: KnownPort;
}

/**
 * Makes a port. On failure nothing of it is left.
 *
 * @throws {NetworkError} as NetworkPortCreateXml
 */
export async function createPort(estate: Estate, record: NetworkRecord, request: PortRequest): Promise<{ port: KnownPort; warnings: string[] }> {
  const { definition: parsed, warnings } = parseNetworkPort(request.xml, { strict: request.strict });
  return record.exclusive(async () => {
    const live = requireLive(record);
    const plan = planOf(live as IdentifiedDefinition);
    const decided = decide(record, live, { ...parsed, uuid: parsed.uuid ?? randomUUID() }, request);
    const port = await enter(estate, record, decided, request.attachment);
    await plugNew(estate, record, plan, port);
    estate.journal.record(EventKind.PORT_ADDED, record, { port: portHandle(record, port) });
    estate.log.info({ network: record.name, port: decided.uuid, owner: decided.owner.name, device: port.attachment?.device }, 'port added');
    return { port, warnings: [...warnings, ...assumptions(live, parsed, decided)] };
  });
}

/** Finds a port by its handle. @throws {NetworkError} INVALID_NETWORK_PORT, NO_NETWORK, INVALID_ARG, NO_NETWORK_PORT */
export function findPort(estate: Estate, handle: NetworkPort | undefined): FoundPort {
  if (handle === undefined || handle.uuid === '') throw new NetworkError(ErrorCode.INVALID_NETWORK_PORT, 'the request names no port by uuid');
  const uuid = canonicalUuid(handle.uuid);
  if (uuid === undefined) throw new NetworkError(ErrorCode.INVALID_ARG, `malformed uuid '${handle.uuid}'`);
  const record = estate.register.find(handle.network);
  return { record, port: portOf(record, uuid) };
}

/** A port of this network, and of no other that has got its UUID since. */
function portOf(record: NetworkRecord, uuid: string): KnownPort {
  void record.current;
  const port = record.ports.get(uuid);
  if (port === undefined || port.state === 'adding') {
    throw new NetworkError(ErrorCode.NO_NETWORK_PORT, `Network port with UUID ${uuid} does not exist`);
  }
  return port;
}

/** Removes a port, of an inactive network too. @throws {NetworkError} as {@link findPort}; the host's if it is left behind */
export async function deletePort(estate: Estate, handle: NetworkPort | undefined): Promise<void> {
  const { record, port: { definition: { uuid } } } = findPort(estate, handle);
  await record.exclusive(async () => {
    const port = portOf(record, uuid);
    await removePort(estate, record, planOf(record.current as IdentifiedDefinition), port);
  });
}

/**
 * Replaces a port's bandwidth, on the host and in the books, or changes neither.
 *
 * @throws {NetworkError} as NetworkPortSetParameters
 */
export async function setPortBandwidth(estate: Estate, handle: NetworkPort | undefined, bandwidth: Bandwidth | undefined): Promise<void> {
  const { record, port: { definition: { uuid } } } = findPort(estate, handle);
  await record.exclusive(async () => {
    const port = portOf(record, uuid);
    const live = requireLive(record);
    const definition = withBandwidth(booksOf(record, live, port), port.definition, bandwidth) as DecidedPort;
    const after: KnownPort = { ...port, definition };
    const network = planOf(live as IdentifiedDefinition);
    await reshape(estate, record, network, port, after);
    port.definition = definition;
    estate.log.info({ network: record.name, port: definition.uuid, bandwidth }, 'bandwidth of a port changed');
  });
}

/** Changes a port on the host and in the store, or neither. */
async function reshape({ host, store, log }: Estate, record: NetworkRecord, network: NetworkPlan, before: KnownPort, after: KnownPort): Promise<void> {
  const [old, now] = [storedPort(record.uuid, before), storedPort(record.uuid, after)];
  if (before.state !== 'plugged') return store.savePort(now);
  const back: Undo[] = [];
  try {
    await store.savePort({ ...old, next: now.xml });
    back.push(() => store.savePort(old));
    await host.reshape(network, planOfPort(network, before), planOfPort(network, after));
    back.push(() => host.reshape(network, planOfPort(network, after), planOfPort(network, before)));
    await store.savePort(now);
  } catch (error) {
    await goBack(back, log, { network: record.name, port: old.uuid }, 'a change of bandwidth could not be undone');
    throw error;
  }
}

/**
 * Takes a port off the host and out of the books. To be called under the
 * network's lock. If the host leaves something behind, the port stays, so that
 * it can be removed again.
 */
export async function removePort(estate: Estate, record: NetworkRecord, plan: NetworkPlan, port: KnownPort): Promise<void> {
  const { uuid } = port.definition;
  const { state } = port;
  await estate.store.savePort(storedPort(record.uuid, { ...port, state: 'removing' }));
  port.state = 'removing';
  try {
    await estate.host.detach(plan, planOfPort(plan, port));
    await estate.store.removePort(record.uuid, uuid);
  } catch (error) {
    port.state = state;
    await estate.store.savePort(storedPort(record.uuid, port)).catch((second: unknown) => {
      estate.log.error({ network: record.name, port: uuid, err: second }, 'the record of a port is out of date');
    });
    throw error;
  }
  record.ports.delete(uuid);
  estate.journal.record(EventKind.PORT_REMOVED, record, { port: portHandle(record, port) });
  estate.log.info({ network: record.name, port: uuid, owner: port.definition.owner.name }, 'port removed');
}

/** What the network makes of the request; libvirt's order of refusing. */
function decide(record: NetworkRecord, live: NetworkDefinition, definition: NetworkPortDefinition & { uuid: string }, request: PortRequest): DecidedPort {
  const { plug } = definition;
  const refuse = (message: string) => new NetworkError(ErrorCode.INVALID_ARG, message);
  if (plug === undefined && request.reclaim) throw refuse('Port reclaim requested but plug type is none');
  if (plug !== undefined && !request.reclaim) throw refuse('Port reclaim not requested but plug type is not none');
  if (request.reclaim && request.attachment !== undefined) throw refuse('a port that is reclaimed is plugged in already, and takes no attachment');
  const books = booksOf(record, live);
  const decided = plug === undefined ? allocatePort(books, definition) : reclaimPort(books, { ...definition, plug });
  if (record.ports.has(definition.uuid)) {
    throw new NetworkError(ErrorCode.NETWORK_PORT_EXIST, `Network port with UUID ${definition.uuid} already exists`);
  }
  return decided as NetworkPortDefinition & { uuid: string; plug: PortPlug };
}

/** Enters a port in the books, with a device that is named; from here on nobody else gets what it has. */
async function enter(estate: Estate, record: NetworkRecord, definition: DecidedPort, asked: Attachment | undefined): Promise<KnownPort> {
  const { interfaces } = asked === undefined ? { interfaces: [] } : await estate.host.observe([]);
  const attachment = decideAttachment(asked, definition.plug, { onHost: new Set([...interfaces, ...estate.register.bridges('')]), byPorts: portDevices(estate.register.all()) });
  const port: KnownPort = { definition, state: 'adding', ...(attachment === undefined ? {} : { attachment }) };
  record.ports.set(definition.uuid, port);
  return port;
}

/** Plugs in a port that is entered: recorded, plugged in, recorded again; or takes it out of the books. */
async function plugNew(estate: Estate, record: NetworkRecord, plan: NetworkPlan, port: KnownPort): Promise<void> {
  const { uuid } = port.definition;
  const back: Undo[] = [];
  try {
    back.push(() => estate.store.removePort(record.uuid, uuid));
    await estate.store.savePort(storedPort(record.uuid, port));
    await estate.host.attach(plan, planOfPort(plan, port));
    back.push(() => estate.host.detach(plan, planOfPort(plan, port)));
    await estate.store.savePort(storedPort(record.uuid, { ...port, state: 'plugged' }));
    port.state = 'plugged';
  } catch (error) {
    record.ports.delete(uuid);
    await goBack(back, estate.log, { network: record.name, port: uuid }, 'a port that failed could not be undone in full');
    throw error;
  }
}

/** What was made up or passed over, for a person. */
function assumptions(network: NetworkDefinition, request: NetworkPortDefinition, { uuid }: DecidedPort): string[] {
  return [
    ...(request.uuid === undefined ? [`the document has no <uuid>; the port got ${uuid}`] : []),
    ...(request.group !== undefined && groupOf(network, request) === undefined
      ? [`network '${network.name}' has no port group '${request.group}'; the port has none`] : []),
  ];
}
