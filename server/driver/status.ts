/**
 * Lives here: what callers get of the health of networks and of damaged files.
 * Does not know: how either comes about.
 */
import type { GetStatusResponse, NetworkStatus } from '../../shared/gen/vnet/v1/network_driver.js';
import type { Estate } from './lifecycle.js';
import type { NetworkRecord } from './register.js';

/**
 * How networks are, and which files are damaged.
 *
 * @param only the one network that it is about, and the file of its definition; absent: all
 */
export async function statusOf(estate: Estate, only: NetworkRecord | undefined): Promise<GetStatusResponse> {
  const damaged = await estate.store.damaged();
  return {
    networks: (only === undefined ? estate.register.list() : [only]).map(networkStatus),
    damagedFiles: damaged.filter(({ network }) => only === undefined || network === only.name)
      .map(({ path, network, why, advice }) => ({ path, network: network ?? '', message: why, advice: advice ?? '' })),
  };
}

function networkStatus({ name, uuid, live, health }: NetworkRecord): NetworkStatus {
  return { network: { name, uuid }, active: live !== undefined, faults: [...health.faults], repairs: [...health.repairs] };
}
