/**
 * Lives here: events as far as one caller may be told. Does not know: where
 * events come from, who the caller is.
 */
import { randomUUID } from 'node:crypto';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { EventKind, type Network, type WatchNetworkEventsRequest, type WatchNetworkEventsResponse } from '../../shared/gen/vnet/v1/network_driver.js';
import type { Guard, GuardedDriver } from './guard.js';
import { mentions, withoutMention } from './mentions.js';
import type { Permission } from './permissions.js';
import { hide } from './refusal.js';

/** What an event of some kinds tells beside that something happened. */
const needs: Partial<Record<EventKind, readonly Permission[]>> = {
  [EventKind.LEASE_ADDED]: ['network:read'], [EventKind.LEASE_RENEWED]: ['network:read'],
  [EventKind.LEASE_EXPIRED]: ['network:read'], [EventKind.LEASE_RELEASED]: ['network:read'],
  [EventKind.PORT_ADDED]: ['network-port:getattr'], [EventKind.PORT_REMOVED]: ['network-port:getattr'],
};

/**
 * Tells of what happens to the networks that the caller sees, by the rights it
 * has when it happens.
 *
 * @throws {NetworkError} as the driver; ACCESS_DENIED once it may not be told of
 * anything; RPC if its rights came to be whole or partial: it is to ask again
 */
export async function* watchVisible(
  driver: GuardedDriver, guard: Guard, request: WatchNetworkEventsRequest, signal?: AbortSignal,
): AsyncGenerator<WatchNetworkEventsResponse, void, undefined> {
  guard.check('watchNetworkEvents');
  const whole = guard.rights.everything;
  const hidden = hiddenTarget(driver, guard, request.network);
  // What happens to nobody is what happens to a network that is not there.
  const target = hidden === undefined ? request : { ...request, network: { name: '', uuid: randomUUID() } };
  try {
    for await (const event of driver.watchNetworkEvents(target, signal)) {
      guard.check('watchNetworkEvents');
      if (guard.rights.everything !== whole) throw new NetworkError(ErrorCode.RPC, 'what you may be told of has changed');
      const told = visiblePart(guard, event);
      if (told !== undefined) yield told;
    }
  } catch (error) {
    if (hidden !== undefined && error instanceof NetworkError && error.code === ErrorCode.NO_NETWORK) throw hide(request.network, hidden);
    throw withoutMention(error, guard.hidden());
  }
}

/** The network that is asked for, if it is there, but not for the caller. @throws {NetworkError} NO_NETWORK if it is asked for by name */
function hiddenTarget(driver: GuardedDriver, guard: Guard, handle: Network | undefined): Network | undefined {
  if (handle === undefined || guard.rights.everything) return undefined;
  let found;
  try {
    found = driver.which(handle);
  } catch {
    // The driver refuses it itself, or goes on where another stream ended.
    return undefined;
  }
  if (guard.rights.sees(found.name)) return undefined;
  if (handle.uuid === '') throw hide(handle, found);
  return found;
}

/** What the caller is told of an event: the event itself, if that is all of it. */
function visiblePart(guard: Guard, event: WatchNetworkEventsResponse): WatchNetworkEventsResponse | undefined {
  if (guard.rights.everything) return event;
  if (event.network === undefined) return { ...event, partial: true };
  const { name } = event.network;
  if (!guard.shows('watchNetworkEvents', name) || !guard.rights.may(needs[event.kind] ?? [], name)) return undefined;
  return event.detail !== '' && mentions(event.detail, guard.hidden()) ? { ...event, detail: 'it clashes with a network that you may not see' } : event;
}
