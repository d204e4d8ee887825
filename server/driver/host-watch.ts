/**
 * Lives here: what the driver does about what happens on its host: it is
 * written into the journal, and a network whose bridge is gone is brought up
 * again. Does not know: how the host notices.
 */
import { EventKind } from '../../shared/gen/vnet/v1/network_driver.js';
import type { HostEvent } from './host.js';
import type { IdentifiedDefinition } from './identity.js';
import { leaseOf } from './leases.js';
import { liveRecord, planOf, type Estate } from './lifecycle.js';
import type { NetworkRecord } from './register.js';

const leaseKinds = {
  added: EventKind.LEASE_ADDED, renewed: EventKind.LEASE_RENEWED, expired: EventKind.LEASE_EXPIRED, released: EventKind.LEASE_RELEASED,
} as const;

/** Follows the host until it is closed. Never throws. */
export async function watchHost(estate: Estate): Promise<void> {
  const repairs = new Set<Promise<void>>();
  try {
    for (let events = await estate.host.nextEvents(); events.length > 0; events = await estate.host.nextEvents()) {
      for (const event of events) {
        const record = [...estate.register.all()].find(({ uuid }) => uuid === event.network);
        if (record === undefined) continue;
        const repair = take(estate, record, event)?.finally(() => repairs.delete(repair!));
        if (repair !== undefined) repairs.add(repair);
      }
    }
  } catch (error) {
    estate.log.error({ err: error }, 'what happens on the host is not followed any more');
  }
  await Promise.all(repairs);
}

/** Takes note of one event; gives the work that follows from it, if there is any. */
function take(estate: Estate, record: NetworkRecord, event: HostEvent): Promise<void> | undefined {
  const { journal, log } = estate;
  // What was still under way when the network was stopped concerns nobody.
  if (record.live === undefined) return undefined;
  switch (event.kind) {
    case 'lease':
      journal.record(leaseKinds[event.change], record, { lease: leaseOf(event.lease, record.live) });
      return undefined;
    case 'repaired':
    case 'failed':
      journal.record(event.kind === 'repaired' ? EventKind.REPAIRED : EventKind.FAILED, record, { detail: event.what });
      return undefined;
    case 'bridge-lost':
      log.warn({ network: record.name, bridge: record.live.bridge?.name }, 'another program removed the bridge of a network: it is brought up again');
      return record.exclusive(() => bringBack(estate, record));
  }
}

/**
 * Brings a network up again whose bridge is gone. Recorded as half-done while
 * it is: a daemon that is killed meanwhile undoes it on its next start. What
 * cannot stand again is stopped.
 */
async function bringBack(estate: Estate, record: NetworkRecord): Promise<void> {
  const { host, journal, log, register, store } = estate;
  const definition = record.live as IdentifiedDefinition | undefined;
  if (definition === undefined) return;
  const plan = planOf(definition);
  try {
    const { standing: [now] } = await host.observe([plan]);
    if (now?.bridge === true) return;
    await store.saveLive(liveRecord(definition, 'starting'));
    await host.tearDown(plan, { forget: false });
    await host.bringUp(plan);
    await store.saveLive(liveRecord(definition, 'running'));
    // Here is the place to plug the network's ports in again.
    journal.record(EventKind.REPAIRED, record, { detail: `bridge ${plan.bridge}` });
    log.warn({ network: record.name, bridge: plan.bridge }, 'a network whose bridge was removed stands again');
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    log.error({ network: record.name, err: error }, 'a network whose bridge was removed cannot be brought up again: stopped');
    await host.tearDown(plan, { forget: record.saved === undefined }).catch((failure: unknown) => log.error({ err: failure }, 'and not taken down in full'));
    await store.removeLive(record.uuid).catch((failure: unknown) => log.error({ err: failure }, 'and its record is left behind'));
    record.live = undefined;
    register.prune(record);
    journal.record(EventKind.FAILED, record, { detail: `bridge ${plan.bridge} is gone and cannot be made again: ${words}` });
    journal.record(EventKind.STOPPED, record);
  }
}
