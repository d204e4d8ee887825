/**
 * Lives here: what the driver does when the bridge of a network that stands is
 * lost: it is brought up again, and every port is plugged in again. Does not
 * know: how the host noticed.
 */
import { NetworkError } from '../../shared/errors.js';
import { EventKind } from '../../shared/gen/vnet/v1/network_driver.js';
import { noteFault, noteRepair } from './health.js';
import type { IdentifiedDefinition } from './identity.js';
import { liveRecord, planOf, type Estate } from './lifecycle.js';
import { leavePorts, plugKept } from './port-revival.js';
import { portsOf } from './port-book.js';
import type { NetworkRecord } from './register.js';

/**
 * Brings a network up again whose bridge is gone, with its ports. Recorded as
 * half-done while it is: a daemon that is killed meanwhile undoes it on its
 * next start. If it fails the network is down, and says so: FAILED, then
 * STOPPED. Does nothing to a network that is not active any more, or whose
 * bridge is there. Never throws.
 */
export function replug(estate: Estate, record: NetworkRecord): Promise<void> {
  return record.exclusive(async () => {
    const definition = record.live as IdentifiedDefinition | undefined;
    if (definition === undefined) return;
    const plan = planOf(definition);
    try {
      const { standing: [now] } = await estate.host.observe([plan]);
      if (now?.bridge === true) return;
      await estate.store.saveLive(liveRecord(definition, 'starting'));
      for (const port of portsOf(record)) port.state = 'unplugged';
      await estate.host.tearDown(plan, { forget: false });
      await estate.host.bringUp(plan);
      await estate.store.saveLive(liveRecord(definition, 'running'));
    } catch (error) {
      return giveUp(estate, record, definition, error);
    }
    await plugKept(estate, record, plan);
    record.health.clear();
    noteRepair(estate, record, 'bridge', `bridge ${plan.bridge}`);
    estate.log.warn({ network: record.name, bridge: plan.bridge, ports: record.ports.size }, 'the bridge was lost; the network stands again');
  });
}

/** The network is down, whatever we say: it is entered as stopped. */
async function giveUp(estate: Estate, record: NetworkRecord, definition: IdentifiedDefinition, cause: unknown): Promise<void> {
  const why = cause instanceof NetworkError ? cause.message : 'see the log';
  estate.log.error({ network: record.name, err: cause }, 'the bridge was lost, and the network cannot be brought up again');
  await estate.host.tearDown(planOf(definition), { forget: record.saved === undefined }).catch((error: unknown) => {
    estate.log.error({ network: record.name, err: error }, 'what was left of a network could not be taken down in full');
  });
  await leavePorts(estate, record, planOf(definition));
  record.live = undefined;
  await estate.store.removeLive(record.uuid).catch((error: unknown) => {
    estate.log.error({ network: record.name, err: error }, 'the record of a network is out of date');
  });
  record.health.clear();
  noteFault(estate, record, 'bridge', `bridge ${planOf(definition).bridge} is gone and cannot be made again: ${why}`);
  estate.journal.record(EventKind.STOPPED, record);
  estate.register.prune(record);
}
