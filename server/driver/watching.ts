/**
 * Lives here: who is told of which events: from a request to a place in the
 * journal. Does not know: what happens.
 */
import type { WatchNetworkEventsRequest } from '../../shared/gen/vnet/v1/network_driver.js';
import type { NetworkEvent } from './events.js';
import type { Estate } from './lifecycle.js';

/**
 * Tells of what happens to networks.
 *
 * @throws {NetworkError} NO_NETWORK if it is about one network that is not
 * there; as Journal.watch
 */
export async function* watchEvents({ register, journal }: Estate, request: WatchNetworkEventsRequest, signal?: AbortSignal): AsyncGenerator<NetworkEvent, void, undefined> {
  const { network, kinds, epoch, after } = request;
  // Who goes on where a stream ended hears the last of a network that is gone since.
  const resumes = epoch === journal.epoch && network !== undefined && network.uuid !== '';
  const uuid = resumes ? network.uuid : network && register.find(network).uuid;
  yield* journal.watch({ network: uuid, kinds, epoch, after }, signal);
}
