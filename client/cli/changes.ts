/**
 * Lives here: saying what a change does to the host, and which parts of a
 * definition wait. Does not know: how it is found out.
 */
import type { HostChange } from '../../shared/gen/vnet/v1/network_driver.js';
import type { Network } from '../network.js';
import type { Call } from './call.js';
import { renderTable } from './table.js';

/** A table of what a change would do to the host. */
export function renderChanges(call: Call, changes: readonly HostChange[]): string {
  const rows = changes.map(({ part, what, hitless }) => [part, what, hitless ? 'yes' : 'no']);
  return renderTable(['Part', 'What', 'Hitless'], rows, { quiet: call.quiet });
}

/** Says which parts of a new definition wait for the next start, if the network is active. */
export async function sayPending(call: Call, network: Network, pending: readonly string[]): Promise<void> {
  if (pending.length > 0) {
    call.warn(`network ${network.name} is active; these parts wait for its next start, all others are live: ${pending.join(', ')}`, 'hint');
  } else if (await network.isActive()) {
    call.warn(`network ${network.name} is active, and all of its definition is live`, 'hint');
  }
}
