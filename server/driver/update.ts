/**
 * Lives here: NetworkUpdate: one part of a network is changed, of the live
 * definition, the saved one, or both; and what a change of a definition would
 * come to. Does not know: what a section is, how the host changes.
 */
import {
  applyUpdate, differences, isManaged, parseNetwork, updateCommands, updateSections, validateNetwork, type NetworkDefinition, type Update,
} from '../../shared/definition/index.js';
import { NetworkError } from '../../shared/errors.js';
import {
  EventKind, type HostChange, type NetworkDefineXmlResponse, type NetworkUpdateRequest, type NetworkUpdateResponse,
} from '../../shared/gen/vnet/v1/network_driver.js';
import { makeChange, targetsOf, type Change } from './change.js';
import type { IdentifiedDefinition } from './identity.js';
import { accept, planOf, withLiveDefaults, type Estate } from './lifecycle.js';
import { refuseOverlap } from './overlap.js';
import type { NetworkRecord } from './register.js';
import { refuseOtherRevision } from './revisions.js';

/**
 * Changes one part of a network.
 *
 * @throws {NetworkError} as NetworkUpdate of the proto says; then everything is as before
 */
export function update(estate: Estate, record: NetworkRecord, request: NetworkUpdateRequest): Promise<NetworkUpdateResponse> {
  return record.exclusive(async () => {
    const targets = targetsOf(record, request);
    const part = partOf(request);
    const change: Change = {};
    // As with libvirt, the saved definition is looked at first.
    if (targets.config) change.saved = changed(record.saved as IdentifiedDefinition, part);
    if (targets.live) change.live = changed(record.live as IdentifiedDefinition, part);
    const response = { ...targets, changes: await carryOut(estate, record, change, request.dryRun) };
    if (request.dryRun) return response;
    estate.journal.record(EventKind.UPDATED, record, { detail: part.section ?? '' });
    estate.log.info({ network: record.name, command: part.command, section: part.section, ...targets }, 'network updated');
    return response;
  });
}

/** Examines a change and makes it. Gives what it does to the host. */
async function carryOut(estate: Estate, record: NetworkRecord, change: Change, dryRun: boolean): Promise<HostChange[]> {
  try {
    const changes = change.live === undefined ? [] : await examine(estate, record, change.live);
    if (!dryRun) await makeChange(estate, record, change, true);
    return changes;
  } finally {
    record.rising = undefined;
  }
}

function partOf({ command, section, parentIndex, xml }: NetworkUpdateRequest): Update {
  return { command: updateCommands[command as number], section: updateSections[section as number], parentIndex, xml };
}

/** A definition with a part changed. @throws {NetworkError} also for what only the driver's rules refuse, if the change brought it */
function changed(before: IdentifiedDefinition, part: Update): IdentifiedDefinition {
  const after = applyUpdate(before, part) as IdentifiedDefinition;
  const known = new Set(validateNetwork(before).map(({ message }) => message));
  const problems = validateNetwork(after).filter(({ message }) => !known.has(message));
  const [first] = problems;
  if (first !== undefined) throw new NetworkError(first.code, `${first.path}: ${first.message}`, { problems });
  return after;
}

/** What a new live definition would do to the host. @throws {NetworkError} for what it cannot do */
async function examine({ host, register }: Estate, record: NetworkRecord, after: IdentifiedDefinition): Promise<HostChange[]> {
  const before = record.live as IdentifiedDefinition;
  const come = after.ips.filter((ip) => !before.ips.some(({ address }) => address === ip.address));
  if (come.length > 0 && isManaged(after)) {
    const { routes } = await host.observe([]);
    refuseOverlap(register, record, { ...after, ips: come }, routes.filter(({ interface: device }) => device !== after.bridge?.name));
    // Nothing may come up there from here on.
    record.rising = after;
  }
  return host.preview(planOf(before), planOf(after));
}

/**
 * Where a new saved definition differs from the live one: what waits for the
 * network's next start. Nothing for a network that is inactive.
 */
export function pendingParts({ live }: NetworkRecord, saved: IdentifiedDefinition): string[] {
  return live === undefined ? [] : differences(live as NetworkDefinition, withLiveDefaults(saved));
}

/** NetworkDefineXml without saving anything. @throws {NetworkError} as define does for the document and its identity */
export async function tryDefinition(estate: Estate, xml: string, strict: boolean, expectedRevision = 0): Promise<NetworkDefineXmlResponse> {
  const { record, definition, warnings } = await accept(estate, xml, strict);
  try {
    refuseOtherRevision(record, expectedRevision);
    // A UUID that was made up for it is not the network's.
    const uuid = record.visible || parseNetwork(xml).definition.uuid !== undefined ? record.uuid : '';
    const changes = await previewDefinition(estate, record, definition);
    return { network: { name: record.name, uuid }, warnings, pending: pendingParts(record, definition), changes, revision: record.stamp?.revision ?? 0 };
  } finally {
    estate.register.release(record, definition);
  }
}

/**
 * What a definition would do to the host: of an active network the way from
 * what stands to it, or, where that takes a new start, all of the start.
 */
async function previewDefinition({ host }: Estate, { live }: NetworkRecord, saved: IdentifiedDefinition): Promise<HostChange[]> {
  const after = planOf(withLiveDefaults(saved));
  if (live === undefined) return host.preview(undefined, after);
  try {
    return await host.preview(planOf(live as IdentifiedDefinition), after);
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error;
    const start = await host.preview(undefined, after);
    // To start it again is to cut its guests off.
    return start.map((change) => ({ ...change, hitless: false }));
  }
}
