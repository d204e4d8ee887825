/**
 * Lives here: what the driver does about what happens on its host: it is
 * written into the journal and into the health of networks, and a network
 * whose bridge is gone is brought up again. Does not know: how the host notices.
 */
import { EventKind } from '../../shared/gen/vnet/v1/network_driver.js';
import { noteFault, noteRecovery, noteRepair } from './health.js';
import type { HostEvent } from './host.js';
import { leaseOf } from './leases.js';
import type { Estate } from './lifecycle.js';
import type { NetworkRecord } from './register.js';
import { replug } from './replug.js';

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
      noteRepair(estate, record, event.part, event.what, event.still);
      return undefined;
    case 'failed':
      noteFault(estate, record, event.part, event.what);
      return undefined;
    case 'recovered':
      noteRecovery(estate, record, event.part, event.what);
      return undefined;
    case 'bridge-lost':
      log.warn({ network: record.name, bridge: record.live.bridge?.name }, 'another program removed the bridge of a network: it is brought up again');
      return replug(estate, record);
  }
}
