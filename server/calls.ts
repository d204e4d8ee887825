/**
 * Lives here: what happens to a call between its bytes and the driver,
 * whatever carries it: may its caller make it, what does it ask for, what came
 * of it, and who wants to know. Does not know: gRPC, sockets, networks.
 */
import { randomUUID } from 'node:crypto';
import { ErrorCode, NetworkError } from '../shared/errors.js';
import { NetworkDriverDefinition, type NetworkDriver } from '../shared/gen/vnet/v1/network_driver.js';
import type { Procedure } from '../shared/procedures.js';
import { authorize } from './access.js';
import type { Connection, Identity } from './connections.js';
import type { Log } from './log.js';
import { Stopping } from './stopping.js';

/** A codec of a generated message. */
interface Codec {
  decode(bytes: Uint8Array): unknown;
  encode(message: unknown): { finish(): Uint8Array };
}

/** A procedure of the contract. */
export interface DriverProcedure extends Procedure {
  /** Its name in the generated interface. */
  readonly key: keyof NetworkDriver;
  /** Where gRPC finds it: `/vnet.v1.NetworkDriver/NetworkCreate`. */
  readonly path: string;
  readonly requestType: Codec;
  readonly responseType: Codec;
  /** It answers again and again. */
  readonly responseStream: boolean;
}

/** Every procedure of the contract. */
export const driverProcedures: readonly DriverProcedure[] = Object.entries(NetworkDriverDefinition.methods).map(([key, method]) => ({
  ...method, key: key as keyof NetworkDriver, path: `/${NetworkDriverDefinition.fullName}/${method.name}`,
} as unknown as DriverProcedure));

/** A call that arrived. */
export interface Call {
  procedure: DriverProcedure;
  connection: Connection;
  /** Who makes it: whom the connection belongs to, unless the call brings a proof of its own. */
  identity: Identity;
  /** What names it in every line of the log. */
  id: string;
  /** What its caller calls it. */
  requestId?: string;
  /** Aborted when nobody waits for the answer any more. */
  signal: AbortSignal;
}

/** What came of a call. */
export interface Outcome {
  /** How long it took, in milliseconds. */
  ms: number;
  /** What it failed with. */
  error?: NetworkError;
}

/** Who is told of every call: the log, the audit, the metrics. Must not throw. */
export interface CallObserver {
  /** Before anything is done for it. */
  begun?(call: Call): void;
  /** Once it is answered, refused, or its stream has ended. `request` is undefined if it was not read. */
  ended(call: Call, outcome: Outcome, request: unknown): void;
}

/** What calls need. */
export interface CallsOptions {
  /** What answers: the driver as far as this caller may see it. */
  driverFor(call: Call): NetworkDriver;
  observers: readonly CallObserver[];
  log: Log;
  stopping?: Stopping;
  /** Bounds; absent: none. */
  limits?: {
    /** Before anything is done for a call. @throws {NetworkError} if it is one too many */
    admit(call: Call): void;
    /** Before an answer of so many bytes is sent. @throws {NetworkError} if that is too much */
    answered(call: Call, bytes: number): void;
  };
}

/** Answers calls. Whatever they end with is a NetworkError. */
export class Calls {
  readonly stopping: Stopping;
  readonly #options: CallsOptions;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.stopping = options.stopping ?? new Stopping();
  }

  /** Answers a call that has one answer. @throws {NetworkError} */
  answer(call: Call, request: Uint8Array): Promise<Uint8Array> {
    return this.stopping.during(() => this.#observed(call, async (read) => {
      const { procedure } = call;
      const response = await this.#method(call)(read(request), call.signal) as object;
      const bytes = procedure.responseType.encode(response).finish();
      this.#options.limits?.answered(call, bytes.length);
      return bytes;
    }));
  }

  /**
   * Answers a call that is answered again and again, until its messages or its
   * signal end it.
   *
   * @param pour takes the messages, at its own pace, until there are no more
   * @throws {NetworkError}
   */
  stream(call: Call, request: Uint8Array, pour: (messages: AsyncIterable<Uint8Array>, over: AbortSignal) => Promise<void>): Promise<void> {
    const over = AbortSignal.any([call.signal, this.stopping.signal]);
    return this.#observed(call, async (read) => {
      try {
        const messages = this.#method(call)(read(request), over) as AsyncIterable<object>;
        await pour(encodeEach(call.procedure, messages), over);
      } catch (error) {
        throw this.stopping.signal.aborted ? stopped() : error;
      }
      if (this.stopping.signal.aborted) throw stopped();
    });
  }

  #method(call: Call): (request: unknown, signal: AbortSignal) => unknown {
    const driver = this.#options.driverFor(call);
    return driver[call.procedure.key].bind(driver) as (request: unknown, signal: AbortSignal) => unknown;
  }

  async #observed<T>(call: Call, work: (read: (bytes: Uint8Array) => unknown) => Promise<T>): Promise<T> {
    const { observers } = this.#options;
    const started = performance.now();
    let request: unknown;
    let error: NetworkError | undefined;
    call.connection.inFlight += 1;
    for (const observer of observers) observer.begun?.(call);
    try {
      this.#options.limits?.admit(call);
      // Before a byte of the request is read.
      authorize(call);
      return await work((bytes) => request = decode(call.procedure, bytes));
    } catch (cause) {
      throw error = this.#asNetworkError(cause, call);
    } finally {
      call.connection.inFlight -= 1;
      const outcome = { ms: performance.now() - started, ...(error === undefined ? {} : { error }) };
      for (const observer of observers) observer.ended(call, outcome, request);
    }
  }

  /** A NetworkError as it is; anything else is logged with its stack and leaves without its text. */
  #asNetworkError(error: unknown, { id, procedure }: Call): NetworkError {
    if (error instanceof NetworkError) return error;
    this.#options.log.error({ call: id, procedure: procedure.name, err: error }, 'a call failed in an unforeseen way');
    return new NetworkError(ErrorCode.INTERNAL_ERROR, `vnetd failed in an unforeseen way; its log tells more under ${id}`);
  }
}

/** A name for a call that no other has. */
export function nameCall(): string {
  return randomUUID();
}

/** The name that a caller gives to a call, if it is one: up to 128 letters, digits and `._:/+=@-`. */
export function parseRequestId(value: unknown): { requestId?: string } {
  return typeof value === 'string' && /^[\w.:/+=@-]{1,128}$/.test(value) ? { requestId: value } : {};
}

/** The bytes of messages that go to several callers. */
const encoded = new WeakMap<object, Uint8Array>();

async function* encodeEach(procedure: DriverProcedure, messages: AsyncIterable<object>): AsyncGenerator<Uint8Array> {
  for await (const message of messages) {
    let bytes = encoded.get(message);
    if (bytes === undefined) encoded.set(message, bytes = procedure.responseType.encode(message).finish());
    yield bytes;
  }
}

function stopped(): NetworkError {
  return new NetworkError(ErrorCode.RPC, 'vnetd is stopping', { hint: 'connect again when it has started' });
}

function decode(procedure: DriverProcedure, request: Uint8Array): unknown {
  try {
    return procedure.requestType.decode(request);
  } catch (error) {
    throw new NetworkError(ErrorCode.INVALID_ARG, `the request of ${procedure.name} is malformed: ${(error as Error).message}`);
  }
}
