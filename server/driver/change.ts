/**
 * Lives here: changing the live and the saved definition of a network, all or
 * nothing, also if the daemon is killed half-way. Does not know: what changes.
 *
 * The live record says at every moment what a later daemon has to do:
 *
 *     updating, xml, next     the host is between the two: bring it back to xml
 *     running, xml, saved     done on the host: adopt xml, and save what is to
 *                             be saved with it. From here on the change holds.
 *     running, xml            done
 *
 * On the way back the first of these is written again before the host is
 * touched, so that it never says more than is true.
 */
import { formatNetwork, parseNetwork } from '../../shared/definition/index.js';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { IdentifiedDefinition } from './identity.js';
import { liveRecord, planOf, type Estate } from './lifecycle.js';
import type { NetworkRecord } from './register.js';
import { saveRevision } from './revisions.js';
import type { LiveRecord } from './store.js';
import { goBack, type Undo } from './undo.js';

/** Which definitions a call is about. */
export interface Targets {
  live: boolean;
  config: boolean;
}

/** What is to be; a definition that is left out stays as it is. */
export interface Change {
  live?: IdentifiedDefinition;
  saved?: IdentifiedDefinition;
}

/**
 * The definitions that a call's flags name: without any, the live one of an
 * active network, else the saved one.
 *
 * @throws {NetworkError} OPERATION_INVALID if `live` is asked of an inactive
 * network or `config` of a transient one; NO_NETWORK if it is gone
 */
export function targetsOf(record: NetworkRecord, { live, config }: Targets): Targets {
  void record.current;
  const targets = live || config ? { live, config } : { live: record.live !== undefined, config: record.live === undefined };
  if (targets.live && record.live === undefined) {
    throw new NetworkError(ErrorCode.OPERATION_INVALID, 'network is not running', { hint: `change its saved definition with --config, or start it: vnet start ${record.name}` });
  }
  if (targets.config && record.saved === undefined) {
    throw new NetworkError(ErrorCode.OPERATION_INVALID, 'cannot change persistent config of a transient network', {
      hint: `make it persistent first: vnet dumpxml ${record.name} > ${record.name}.xml && vnet define ${record.name}.xml`,
    });
  }
  return targets;
}

/**
 * Makes a change; to be called under the network's lock.
 *
 * @param host the change concerns the host, not only what is said of the network
 * @throws {NetworkError} as Host.update, or SYSTEM_ERROR if the store cannot be
 * written; then everything is as before
 */
export async function makeChange(estate: Estate, record: NetworkRecord, change: Change, host: boolean): Promise<void> {
  const { live, saved } = change;
  if (live !== undefined) await changeLive(estate, record, live, saved, host);
  else if (saved !== undefined) await saveRevision(estate, record, saved, host ? 'update' : 'metadata');
  if (live !== undefined) record.live = live;
  if (saved !== undefined) record.saved = saved;
}

async function changeLive(
  estate: Estate, record: NetworkRecord, live: IdentifiedDefinition, saved: IdentifiedDefinition | undefined, touchesHost: boolean,
): Promise<void> {
  const { store, host, log } = estate;
  const old = record.live as IdentifiedDefinition;
  const updating = { ...liveRecord(old, 'updating'), next: formatNetwork(live) };
  const back: Undo[] = [];
  const putBackRecord = () => store.saveLive(liveRecord(old, 'running'));
  record.rising = live;
  try {
    if (touchesHost) {
      await store.saveLive(updating);
      back.push(putBackRecord);
      await host.update(planOf(old), planOf(live));
      back.push(() => host.update(planOf(live), planOf(old)), () => store.saveLive(updating));
    }
    const done = liveRecord(live, 'running');
    const cause = touchesHost ? 'update' : 'metadata';
    await store.saveLive(saved === undefined ? done : { ...done, saved: formatNetwork(saved), cause });
    if (saved !== undefined) {
      if (!touchesHost) back.push(putBackRecord);
      await saveRevision(estate, record, saved, cause);
      back.length = 0;
      await store.saveLive(done).catch((error: unknown) => {
        // What is saved is saved twice at the next start of the daemon.
        log.warn({ network: record.name, err: error }, 'the record of a change that is made could not be put away');
      });
    }
  } catch (error) {
    await goBack(back, log, { network: record.name }, 'a failed change could not be undone in full');
    throw error;
  } finally {
    record.rising = undefined;
  }
}

/**
 * Ends a change that a daemon was killed in: takes it back if it was not made
 * on the host in full, else saves what belongs to it. Gives the record as it is
 * then.
 *
 * @param stands the network's bridge is there
 */
export async function settleChange(estate: Estate, record: LiveRecord, stands: boolean): Promise<LiveRecord> {
  const { next, saved, cause, ...rest } = record;
  if (saved !== undefined) await saveLate(estate, record, saved, cause ?? 'update');
  else if (record.state !== 'updating' || !stands) return record;
  else {
    const [half, old] = [next ?? record.xml, record.xml].map((xml) => planOf(parseNetwork(xml, { validate: false }).definition as IdentifiedDefinition));
    await estate.host.update(half!, old!);
    estate.log.warn({ network: record.name }, 'a change of the network was cut off: it is as before');
  }
  const settled: LiveRecord = { ...rest, state: 'running' };
  await estate.store.saveLive(settled);
  return settled;
}

async function saveLate(estate: Estate, { name, uuid }: LiveRecord, xml: string, cause: string): Promise<void> {
  const definition = parseNetwork(xml, { validate: false }).definition as IdentifiedDefinition;
  const known = estate.register.claim(name, uuid, definition);
  try {
    // It may have been saved before the daemon was killed: that is no revision more.
    if (known.saved === undefined || formatNetwork(known.saved) !== formatNetwork(definition)) await saveRevision(estate, known, definition, cause);
    known.saved = definition;
  } finally {
    estate.register.release(known, definition);
  }
}
