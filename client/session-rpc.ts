/**
 * Lives here: calls over a session, where the other end has sessions; else one
 * by one. A session that ended is followed by another with the next call. Does
 * not know: frames, or whether a call is repeated.
 */
import { ErrorCode, NetworkError } from '../shared/errors.js';
import { NetworkDriverServiceName } from '../shared/gen/vnet/v1/network_driver.js';
import type { Patience } from '../shared/session/heartbeat.js';
import type { Transport } from '../shared/uri.js';
import type { Bytes, Carrier } from './carrier.js';
import type { Channel } from './channel.js';
import { aborted, createUnaryCarrier, timedOut } from './grpc-rpc.js';
import { Inflow } from './inflow.js';
import { ClientSession, NoSession, type Waiting } from './session.js';

/** How many messages of a stream may wait to be read. */
const streamCredit = 64;

/** Calls over a channel. @param transport undefined: over a session if there is one */
export function createCarrier(channel: Channel, transport: Transport | undefined, patience: Patience): Carrier {
  const unary = createUnaryCarrier(channel);
  return transport === 'unary' ? unary : new SessionCarrier(channel, unary, transport === 'session', patience);
}

/** Who waits for a call that has one answer. */
class OneCall implements Waiting {
  readonly endless = false;
  left = false;
  #session: ClientSession | undefined;
  #call = 0;
  #signal: AbortSignal | undefined;

  constructor(
    readonly method: string, private readonly place: string, private readonly timeoutMs: number,
    private readonly resolve: (answer: Bytes) => void, private readonly reject: (error: Error) => void,
  ) {}

  /** What it is to be given up in, and when. */
  follow(session: ClientSession, call: number, signal: AbortSignal | undefined): void {
    this.#session = session;
    this.#call = call;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#abort, { once: true });
  }

  response(message: Bytes): void {
    this.#forget();
    this.resolve(message);
  }

  ended(error?: NetworkError | NoSession): void {
    this.#forget();
    this.reject(error ?? new NetworkError(ErrorCode.RPC, `${this.method} at ${this.place} ended without a response`));
  }

  late(): void {
    this.#giveUp(timedOut(this.method, this.place, this.timeoutMs));
  }

  readonly #abort = (): void => this.#giveUp(aborted(this.method));

  #giveUp(error: NetworkError): void {
    this.#forget();
    this.#session?.cancel(this.#call);
    this.reject(error);
  }

  #forget(): void {
    this.#signal?.removeEventListener('abort', this.#abort);
  }
}

class SessionCarrier implements Carrier {
  readonly #channel: Channel;
  readonly #unary: Carrier;
  readonly #insist: boolean;
  readonly #patience: Patience;
  #session: ClientSession | undefined;
  #none = false;

  constructor(channel: Channel, unary: Carrier, insist: boolean, patience: Patience) {
    this.#channel = channel;
    this.#unary = unary;
    this.#insist = insist;
    this.#patience = patience;
  }

  call(service: string, method: string, data: Uint8Array, timeoutMs: number, signal?: AbortSignal): Promise<Bytes> {
    if (this.#none || service !== NetworkDriverServiceName) return this.#unary.call(service, method, data, timeoutMs, signal);
    const answer = this.#call(service, method, data, timeoutMs, signal);
    if (this.#session?.answered === true) return answer;
    return answer.catch((error: unknown) => {
      if (!this.#isNone(error)) throw error;
      return this.#unary.call(service, method, data, timeoutMs, signal);
    });
  }

  async *stream(service: string, method: string, data: Uint8Array, signal?: AbortSignal): AsyncGenerator<Bytes> {
    if (!this.#none && service === NetworkDriverServiceName) {
      try {
        return yield* this.#stream(service, method, data, signal);
      } catch (error) {
        if (!this.#isNone(error)) throw error;
      }
    }
    yield* this.#unary.stream(service, method, data, signal);
  }

  close(): void {
    this.#session?.close();
    this.#unary.close();
  }

  /** Whether a call was not made because there are no sessions. @throws {NetworkError} NO_SUPPORT if it must be a session */
  #isNone(error: unknown): boolean {
    if (!(error instanceof NoSession)) return false;
    if (this.#insist) throw new NetworkError(ErrorCode.NO_SUPPORT, `sessions at ${this.#channel.place}`, { hint: 'leave out transport=session: calls then go one by one' });
    return this.#none = true;
  }

  #open(): ClientSession {
    if (this.#session?.usable !== true) this.#session = new ClientSession(this.#channel, this.#patience);
    return this.#session;
  }

  #call(service: string, method: string, data: Uint8Array, timeoutMs: number, signal?: AbortSignal): Promise<Bytes> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted(method));
      const session = this.#open();
      const one = new OneCall(method, this.#channel.place, timeoutMs, resolve, reject);
      const call = session.call(`/${service}/${method}`, data, timeoutMs, 0, one);
      one.follow(session, call, signal);
    });
  }

  async *#stream(service: string, method: string, data: Uint8Array, signal?: AbortSignal): AsyncGenerator<Bytes> {
    if (signal?.aborted) throw aborted(method);
    const inflow = new Inflow<Bytes>();
    const session = this.#open();
    const call = session.call(`/${service}/${method}`, data, 0, streamCredit, {
      method, endless: true, left: false, response: (message) => inflow.push(message), ended: (error) => inflow.end(error), late: () => undefined,
    });
    // At once: whoever gives up may never come back to its loop.
    const cancel = () => {
      session.cancel(call);
      inflow.end(aborted(method));
    };
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      let read = 0;
      for (let message; (message = await inflow.next()) !== undefined;) {
        read += 1;
        // Not for each of them, and before there are none left.
        if (read % (streamCredit / 2) === 0) session.credit(call, streamCredit / 2);
        yield message;
      }
    } finally {
      signal?.removeEventListener('abort', cancel);
      session.cancel(call);
    }
  }
}
