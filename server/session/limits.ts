/** Lives here: what one session may ask of the daemon. Does not know: how it is asked. */
import type { Patience } from '../../shared/session/heartbeat.js';
import { usualLimits, type Limits } from '../limits/limits.js';

/** What one session may ask of the daemon. */
export interface SessionLimits extends Patience {
  /** Calls that are being done at the same time; further ones wait. */
  callsInFlight: number;
  /** Calls that may wait; while there are more, the session is not read. */
  callsWaiting: number;
  /** Streams of responses at the same time; a further one is refused. */
  streams: number;
  /** Bytes of answers that wait for the client to read; while there are more, nothing is begun and nothing is read. */
  bytesWaiting: number;
  /** A client that takes nothing of what it is sent is disconnected after this long, in milliseconds. */
  stuckMs: number;
}

/** The limits that a session tells of when they are reached; others only make its client wait. */
export type ReachedLimit = 'stalledSeconds' | 'sessionStreams';

/** What the limits of the daemon are for a session. When it pings is the protocol's: session.proto tells clients. */
export function sessionLimitsOf(limits: Limits): SessionLimits {
  return {
    callsInFlight: limits.sessionCalls, callsWaiting: limits.sessionWaitingCalls, streams: limits.sessionStreams,
    bytesWaiting: limits.sessionUnsentBytes, stuckMs: limits.stalledSeconds * 1000, pingAfterMs: 20_000, answerWithinMs: 10_000,
  };
}

/** The limits if nobody says otherwise; session.proto tells clients of them. */
export const sessionLimits: SessionLimits = sessionLimitsOf(usualLimits);
