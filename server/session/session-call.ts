/**
 * Lives here: one call of a session until it has ended, which it does once.
 * Does not know: other calls, what is done for it.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { CallFrame, ServerFrame } from '../../shared/gen/vnet/v1/session.js';
import type { Deadlines } from '../../shared/session/deadlines.js';
import { nameCall, type ServedProcedure } from '../calls.js';
import { Credit } from './credit.js';
import { endFrame } from './frames.js';
import { borrowSignal, returnSignal } from './signals.js';

/** Takes the frame that ends a call, and how many bytes it carries. */
export type Ending = (call: SessionCall, frame: Partial<ServerFrame>, payload: number) => void;

/** A call of a session. */
export class SessionCall {
  readonly id: number;
  /** What names it in every line of the log. */
  readonly name = nameCall();
  readonly procedure: ServedProcedure;
  readonly request: Uint8Array;
  /** Of a stream of responses: how many the client wants. */
  readonly credit: Credit;
  /** Something is being done for it. */
  begun = false;
  readonly #over: AbortController;
  readonly #ending: Ending;
  readonly #deadlines: Deadlines<SessionCall>;
  #ended = false;

  constructor({ call, request, timeoutMs, credit }: CallFrame, procedure: ServedProcedure, deadlines: Deadlines<SessionCall>, ending: Ending) {
    this.id = call;
    this.procedure = procedure;
    this.request = request;
    this.credit = new Credit(credit);
    this.#deadlines = deadlines;
    this.#ending = ending;
    // Who listens to a stream's signal may combine it with others, which keeps it.
    this.#over = procedure.responseStream ? new AbortController() : borrowSignal();
    if (timeoutMs > 0) deadlines.set(this, timeoutMs, () => this.#timedOut(timeoutMs));
  }

  /** Aborted when nobody waits for the answer any more. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** It succeeded, with one response. */
  answer(response: Uint8Array): void {
    if (this.signal.aborted) this.fail(this.#givenUp());
    else this.#end({ response: { call: this.id, response: response as Buffer } }, response.length);
  }

  /** It failed. */
  fail(error: NetworkError): void {
    this.#end({ end: endFrame(this.id, error, !this.begun, this.name) }, error.message.length);
  }

  /** Its stream of responses is complete. */
  complete(): void {
    if (this.signal.aborted) this.fail(this.#givenUp());
    else this.#end({ end: endFrame(this.id) }, 0);
  }

  /** The client does not want it any more. What was begun says itself when it has ended. */
  cancel(): void {
    this.#over.abort();
    if (!this.begun) this.fail(this.#givenUp());
  }

  /** There is no session to answer in any more. */
  drop(): void {
    this.#ended = true;
    this.#deadlines.delete(this);
    this.#over.abort();
  }

  /** Nothing is being done for it any more. */
  done(): void {
    if (!this.procedure.responseStream) returnSignal(this.#over);
  }

  #timedOut(timeoutMs: number): void {
    this.fail(new NetworkError(ErrorCode.OPERATION_TIMEOUT, `${this.procedure.name} took longer than ${timeoutMs / 1000} s`, {
      hint: 'it may still happen: look before you repeat it',
    }));
    this.#over.abort();
  }

  #end(frame: Partial<ServerFrame>, payload: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#deadlines.delete(this);
    this.#ending(this, frame, payload);
  }

  #givenUp(): NetworkError {
    return new NetworkError(ErrorCode.OPERATION_ABORTED, `${this.procedure.name} was given up by the caller`);
  }
}
