/**
 * Lives here: how many calls are answered at the same time, and how large an
 * answer may be. Does not know: how a call arrives.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { Call, CallObserver } from '../calls.js';
import type { Connection } from '../connections.js';
import { nameLimit, type Limits } from './limits.js';
import type { Refusals } from './refusals.js';

/** Counts the calls that are being answered. */
export class CallLimits implements CallObserver {
  #inFlight = 0;

  /** @param sends told of every answer before it is sent */
  constructor(private readonly limits: Limits, private readonly refusals: Refusals, private readonly sends: (connection: Connection, bytes: number) => void) {}

  /** Calls that are being answered, streams among them. */
  get inFlight(): number {
    return this.#inFlight;
  }

  begun(): void {
    this.#inFlight += 1;
  }

  ended(): void {
    this.#inFlight -= 1;
  }

  /** Lets a call that has begun go on. @throws {NetworkError} RESOURCE_BUSY naming the limit */
  admit(call: Call): void {
    const { calls, callsPerConnection } = this.limits;
    if (call.connection.inFlight > callsPerConnection) {
      this.#refuse(call, 'callsPerConnection', `${callsPerConnection} calls of this connection are being answered, and more are not taken`,
        'wait for answers, and end watches that nobody reads');
    }
    // One call each: whoever takes all there are does not keep the others from being answered.
    if (this.#inFlight > calls && call.connection.inFlight > 1) this.#refuse(call, 'calls', `${calls} calls are being answered, and more are not taken`, 'try again a little later');
  }

  /** Lets an answer out. @throws {NetworkError} RESOURCE_BUSY naming the limit */
  answered(call: Call, bytes: number): void {
    const { responseBytes } = this.limits;
    if (bytes <= responseBytes) return this.sends(call.connection, bytes);
    this.#refuse(call, 'responseBytes', `the answer of ${call.procedure.name} has ${bytes} bytes, and at most ${responseBytes} are sent`,
      'ask for less: for one network, or with a filter');
  }

  #refuse(call: Call, limit: keyof Limits, message: string, hint: string): never {
    this.refusals.note('call refused', limit, { call: call.id, connection: call.connection.id, who: call.identity.name, procedure: call.procedure.name });
    throw new NetworkError(ErrorCode.RESOURCE_BUSY, message, { hint: `${hint}; the limit is limits.${nameLimit(limit)} in vnetd.toml` });
  }
}
