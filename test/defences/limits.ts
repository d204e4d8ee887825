/**
 * Lives here: the defences against who sends much, oddly, or nothing, T10 to
 * T16, each before the eyes of an attack on its limit. Does not know: attacks
 * (see test/attack), how a test is run.
 */
import { defence, type Defence } from './defence.js';

const [admission, calls, guard, traffic, session] = ['limits/admission', 'limits/call-limits', 'limits/guard', 'limits/traffic', 'session/session'].map((name) => `server/${name}.ts`) as [string, string, string, string, string];
const attacks = 'test/attack/limits.test.ts';

export const ofLimits: readonly Defence[] = [
  defence('T10', 'an answer has a size', [calls, 'if (bytes <= responseBytes) return', 'if (responseBytes > 0) return'], [attacks, 'T10: response_bytes']),
  defence('T10', 'half requests have a size', [traffic, "if (this.unread > this.limits.unreadBytes) this.told.exceeded('unreadBytes');", ''], [attacks, 'T10: unread_bytes']),
  defence('T10', 'half requests of all have a size', [guard, "if (this.held.unread > this.limits.unreadBytesInAll) this.#cutGreatest('unread', 'unreadBytesInAll');", ''],
    [attacks, 'T10: unread_bytes_in_all']),
  defence('T12', 'a first call comes soon', [guard, "if (!traffic.spoke && now - since > firstCallSeconds * 1000) return this.#cut(connection, 'firstCallSeconds');", ''], [attacks, 'T12: first_call_seconds']),
  defence('T12', 'who is idle goes', [guard, 'if (idle && leaving === undefined) {', 'if (idle && now < 0) {'], [attacks, 'T12: idle_seconds']),
  defence('T12', 'half a request does not wait for ever', [traffic, 'if (waits && (', 'if (now < 0 && waits && ('], [attacks, 'T12: stalled_seconds']),
  defence('T12', 'answers that nobody reads have a size', [traffic, "if (this.#measureUnsent() > this.limits.unsentBytes) return this.told.exceeded('unsentBytes');", ''], [attacks, 'T12: unsent_bytes']),
  defence('T12', 'answers that nobody reads have a size, of all', [guard, "if (unsent > this.limits.unsentBytesInAll) this.#cutGreatest('unsent', 'unsentBytesInAll');", ''],
    [attacks, 'T12: unsent_bytes_in_all']),
  defence('T12', 'a session makes no answers that nobody reads', [session, 'this.#answering < callsInFlight && !this.#outbox.full', 'this.#answering < callsInFlight'], [attacks, 'T12: session_unsent_bytes']),
  defence('T13', 'a handshake ends', [guard, "if (session === undefined && now - since > handshakeSeconds * 1000) return this.#cut(connection, 'handshakeSeconds');", ''], [attacks, 'T13: handshake_seconds']),
  defence('T14', 'calls are not given up without end', [traffic, "if (!this.#resets.take(1, now)) this.told.exceeded('resets');", ''], [attacks, 'T14: resets']),
  defence('T14', 'control frames are counted', [traffic, "if (!this.#control.take(1, performance.now())) this.told.exceeded('controlFrames');", ''], [attacks, 'T14: control_frames']),
  defence('T14', 'bytes that belong to no call are counted', [traffic, "if (!this.#overhead.take(stray - this.#examined, now)) this.told.exceeded('overheadBytes');", ''], [attacks, 'T14: overhead_bytes']),
  defence('T14', 'metadata has a size', [traffic, "if (bytes > this.limits.headerBytes) this.told.exceeded('headerBytes');", ''], [attacks, 'T14: header_bytes']),
  defence('T14', 'metadata has so many fields', [traffic, "if (fields.length > 2 * this.limits.headerPairs) return this.told.exceeded('headerPairs');", ''], [attacks, 'T14: header_pairs']),
  defence('T15', 'a connection has so many calls', [calls, 'if (call.connection.inFlight > callsPerConnection) {', 'if (callsPerConnection < 0) {'], [attacks, 'T15: calls_per_connection']),
  defence('T15', 'there are so many calls', [calls, 'if (this.#inFlight > calls && call.connection.inFlight > 1)', 'if (calls < 0)'], [attacks, 'T15: calls']),
  defence('T15', 'a session does so many calls at a time', [session, 'this.#answering < callsInFlight && ', 'callsInFlight > 0 && '], [attacks, 'T15: session_calls']),
  defence('T15', 'a session has so many streams', [session, 'if (this.#streaming >= streams) {', 'if (streams < 0) {'], [attacks, 'T15: session_streams']),
  defence('T12', 'strangers have so many connections', [admission, 'if (this.#strangers.size >= this.limits.unauthenticated) this.#evict();', ''], [attacks, 'T12: unauthenticated']),
  defence('T16', 'bad tokens end their connection', [guard, "if (connection.failedProofs > this.limits.failedProofs) this.#cut(connection, 'failedProofs');", ''], [attacks, 'T16: failed_proofs']),
];
