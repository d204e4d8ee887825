/**
 * Lives here: the revisions of a network: the number that grows with each save,
 * compare and swap, and the list of what is kept. Does not know: where versions
 * are kept.
 */
import { formatNetwork } from '../../shared/definition/index.js';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { NetworkRevision } from '../../shared/gen/vnet/v1/network_driver.js';
import type { Stamp } from './history.js';
import type { IdentifiedDefinition } from './identity.js';
import type { Estate } from './lifecycle.js';
import type { NetworkRecord } from './register.js';

/** What a caller who defines a network knows of it. */
export interface Expectation {
  /** The revision that it means to replace; 0 or absent: whichever there is. */
  expectedRevision?: number | undefined;
  /** The document is that of this revision. */
  rollbackTo?: number | undefined;
}

/**
 * Saves a definition as the next revision; to be called under the network's
 * lock, before `record.saved` is set. If it fails the revision is as before.
 */
export async function saveRevision(estate: Estate, record: NetworkRecord, definition: IdentifiedDefinition, cause: string): Promise<Stamp> {
  const last = record.stamp?.revision ?? await lastRevision(estate, record.uuid);
  const stamp = { revision: last + 1, timeMs: Date.now(), cause };
  const kept = await estate.store.saveDefinition(record.name, formatNetwork(definition), { uuid: record.uuid, stamp });
  if (kept !== undefined) estate.log.warn({ network: record.name, kept }, 'a damaged definition lay where a new one was saved: it is kept beside it');
  record.stamp = stamp;
  return stamp;
}

/** The last revision that is kept of a UUID; 0 if there is none. A network that is defined again goes on from there. */
export async function lastRevision({ store }: Pick<Estate, 'store'>, uuid: string): Promise<number> {
  return Math.max(0, ...(await store.history(uuid)).map(({ revision }) => revision));
}

/** Refuses a change of another revision than the caller knows. @throws {NetworkError} OPERATION_INVALID saying which there is, since when and by what */
export function refuseOtherRevision({ name, stamp }: NetworkRecord, expected: number): void {
  if (expected === 0 || stamp?.revision === expected) return;
  const hint = `look at what is saved now: vnet history ${name}; vnet dumpxml --inactive ${name}`;
  if (stamp === undefined) throw new NetworkError(ErrorCode.OPERATION_INVALID, `network '${name}' is not defined any more; revision ${expected} was expected`);
  const when = stamp.timeMs === 0 ? '' : ` since ${new Date(stamp.timeMs).toISOString()}`;
  const by = stamp.cause === '' ? '' : `, by ${stamp.cause}`;
  const found = `it is at revision ${stamp.revision}${when}${by}; revision ${expected} was expected`;
  throw new NetworkError(ErrorCode.OPERATION_INVALID, `network '${name}' was changed meanwhile: ${found}`, { hint });
}

/**
 * The revisions of a network, the one in force first.
 *
 * @param wanted only this one, with its XML
 * @throws {NetworkError} INVALID_ARG if `wanted` is not kept
 */
export async function listRevisions({ store }: Estate, record: NetworkRecord, wanted: number | undefined): Promise<NetworkRevision[]> {
  const { saved, stamp, name } = record;
  if (saved !== undefined && stamp === undefined) throw new Error(`network '${name}' is saved without a revision`);
  const current = saved === undefined || stamp === undefined ? [] : [{ ...stamp, current: true, xml: formatNetwork(saved) }];
  // What is not earlier than the one in force was cut off on its way.
  const earlier = stamp === undefined ? [] : (await store.history(record.uuid)).filter(({ revision }) => revision < stamp.revision);
  const all = [...current, ...earlier.sort((a, b) => b.revision - a.revision).map((version) => ({ ...version, current: false }))];
  if (wanted === undefined) return all.map((version) => ({ ...version, xml: '' }));
  const found = all.filter(({ revision }) => revision === wanted);
  if (found.length === 0) {
    throw new NetworkError(ErrorCode.INVALID_ARG, `revision ${wanted} of network '${name}' is not kept`, { hint: `see which are: vnet history ${name}` });
  }
  return found;
}
