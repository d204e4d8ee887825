/**
 * Lives here: what the driver does when the bridge of a network that stands is
 * lost: it is brought up again, and every port is plugged in again. Does not
 * know: how the host noticed.
 */
import { NetworkError } from '../../shared/errors.js';
import { EventKind } from '../../shared/gen/vnet/v1/network_driver.js';
import type { IdentifiedDefinition } from './identity.js';
import { planOf, type Estate } from './lifecycle.js';
import { leavePorts, plugKept } from './port-revival.js';
import { portsOf } from './port-book.js';
import type { NetworkRecord } from './register.js';

/**
 * Brings a network up again whose bridge is gone, with its ports. If that
 * fails the network is down, and says so: FAILED, then STOPPED. Does nothing to
 * a network that is not active any more. Never throws.
 */
export function replug(estate: Estate, record: NetworkRecord): Promise<void> {
  return record.exclusive(async () => {
    const definition = record.live as IdentifiedDefinition | undefined;
    if (definition === undefined) return;
    const plan = planOf(definition);
    await estate.host.tearDown(plan, { forget: false }).catch((error: unknown) => {
      estate.log.warn({ network: record.name, err: error }, 'what was left of a network could not be taken away');
    });
    for (const port of portsOf(record)) port.state = 'unplugged';
    try {
      await estate.host.bringUp(plan);
    } catch (error) {
      return giveUp(estate, record, definition, error);
    }
    await plugKept(estate, record, plan);
    estate.journal.record(EventKind.REPAIRED, record, { detail: 'bridge' });
    estate.log.warn({ network: record.name, bridge: plan.bridge, ports: record.ports.size }, 'the bridge was lost; the network stands again');
  });
}

/** The network is down, whatever we say: it is entered as stopped. */
async function giveUp(estate: Estate, record: NetworkRecord, definition: IdentifiedDefinition, cause: unknown): Promise<void> {
  const why = cause instanceof NetworkError ? cause.message : 'see the log';
  estate.log.error({ network: record.name, err: cause }, 'the bridge was lost, and the network cannot be brought up again');
  await leavePorts(estate, record, planOf(definition));
  record.live = undefined;
  await estate.store.removeLive(record.uuid).catch((error: unknown) => {
    estate.log.error({ network: record.name, err: error }, 'the record of a network is out of date');
  });
  estate.journal.record(EventKind.FAILED, record, { detail: `the bridge was lost, and the network cannot be brought up again: ${why}` });
  estate.journal.record(EventKind.STOPPED, record);
  estate.register.prune(record);
}
