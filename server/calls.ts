/**
 * Lives here: what happens to a call between its bytes and the driver,
 * whatever carries it: may its caller make it, what does it ask for, what came
 * of it, and who wants to know. Does not know: gRPC, sockets, networks.
 */
import { randomUUID } from 'node:crypto';
import { encodeMessage, type BinaryWriter } from '../shared/encode.js';
import { ErrorCode, NetworkError } from '../shared/errors.js';
import { AdminDefinition, type Admin } from '../shared/gen/vnet/v1/admin.js';
import { NetworkDriverDefinition, type NetworkDriver } from '../shared/gen/vnet/v1/network_driver.js';
import type { Procedure } from '../shared/procedures.js';
import { refuseChanges } from './access/readonly.js';
import type { Connection, Identity } from './connections.js';
import type { Identify } from './identity/identify.js';
import type { Log } from './log.js';
import { Stopping } from './stopping.js';

/** A codec of a generated message. */
interface Codec {
  decode(bytes: Uint8Array): unknown;
  encode(message: unknown, into?: BinaryWriter): BinaryWriter;
}

/** A procedure of the contract. */
export interface ServedProcedure extends Procedure {
  readonly service: 'NetworkDriver' | 'Admin';
  /** Its name in the generated interface. */
  readonly key: keyof NetworkDriver | keyof Admin;
  /** Where gRPC finds it: `/vnet.v1.NetworkDriver/NetworkCreate`. */
  readonly path: string;
  readonly requestType: Codec;
  readonly responseType: Codec;
  /** It answers again and again. */
  readonly responseStream: boolean;
}

/** Every procedure of the contract. */
export const procedures: readonly ServedProcedure[] = [NetworkDriverDefinition, AdminDefinition].flatMap(({ name, fullName, methods }) =>
  Object.entries(methods).map(([key, method]) => ({ ...method, service: name, key, path: `/${fullName}/${method.name}` } as unknown as ServedProcedure)));

/** What whoever may do anything may call. */
const open = procedures.find(({ key }) => key === 'open')!;

/** A call that arrived. */
export interface Call {
  procedure: ServedProcedure;
  connection: Connection;
  /** Who makes it: whom the connection belongs to, unless the call brings a proof of its own. */
  identity: Identity;
  /** Why its caller cannot be told: the proof that it brought is none. */
  denied?: NetworkError | undefined;
  /** What names it in every line of the log. */
  id: string;
  /** What its caller calls it. */
  requestId?: string | undefined;
  /** Aborted when nobody waits for the answer any more. */
  signal: AbortSignal;
}

/** What came of a call. */
export interface Outcome {
  /** How long it took, in milliseconds. */
  ms: number;
  /** What it failed with. */
  error?: NetworkError;
  /** The answer, of a call that has one. */
  response?: object;
}

/** Who is told of every call: the log, the audit, the metrics. Must not throw where it does not say so. */
export interface CallObserver {
  /** Before anything is done for it. */
  begun?(call: Call): void;
  /** Once its request is read, before anything is done for it. What this throws ends the call. @throws {NetworkError} */
  asked?(call: Call, request: unknown): void;
  /** Once it is answered, refused, or its stream has ended. `request` is undefined if it was not read. */
  ended(call: Call, outcome: Outcome, request: unknown): void;
}

/** What calls need. */
export interface CallsOptions {
  /** Refuses a call before its request is read; if undefined, only changes on a read-only connection. @throws {NetworkError} */
  authorize?(call: Pick<Call, 'connection' | 'identity' | 'procedure'>): void;
  /** What answers: the driver as far as this caller may see it. */
  driverFor(call: Call): NetworkDriver;
  /** What answers about the daemon itself. */
  adminFor?(call: Call): Admin;
  observers: readonly CallObserver[];
  log: Log;
  stopping?: Stopping;
  /** Tells callers apart; unless given, by their connections. */
  identify?: Identify;
  /** Bounds; absent: none. */
  limits?: {
    /** Before anything is done for a call. @throws {NetworkError} if it is one too many */
    admit(call: Call): void;
    /** Before an answer of so many bytes is sent. @throws {NetworkError} if that is too much */
    answered(call: Call, bytes: number): void;
  };
}

/** A call while something is done for it. */
interface Observed {
  call: Call;
  started: number;
  /** What it asks for; undefined as long as that is not read. */
  request: unknown;
  outcome: Outcome;
}

/** What answers, by the procedures' keys. */
type Answers = Record<string, (request: unknown, signal: AbortSignal) => unknown>;

/** Answers calls. Whatever they end with is a NetworkError. */
export class Calls {
  readonly stopping: Stopping;
  readonly #options: CallsOptions;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.stopping = options.stopping ?? new Stopping();
  }

  /**
   * Who makes a call, or opens a session.
   *
   * @param authorization every value of its metadata `authorization`
   */
  caller(connection: Connection, authorization: readonly string[]): Pick<Call, 'connection' | 'identity' | 'denied'> {
    try {
      return { connection, identity: this.#options.identify?.(connection, authorization) ?? connection.identity, denied: undefined };
    } catch (error) {
      return { connection, identity: connection.identity, denied: error as NetworkError };
    }
  }

  /** Answers a call that has one answer. @throws {NetworkError} */
  async answer(call: Call, request: Uint8Array): Promise<Uint8Array> {
    const observed = this.#begin(call);
    this.stopping.enter();
    try {
      // Before a byte of the request is read.
      this.#admit(call);
      const response = observed.outcome.response = await this.#make(observed, request, call.signal) as object;
      const bytes = encodeMessage(call.procedure.responseType, response);
      this.#options.limits?.answered(call, bytes.length);
      return bytes;
    } catch (cause) {
      throw observed.outcome.error = this.#asNetworkError(cause, call);
    } finally {
      this.#end(observed);
      this.stopping.leave();
    }
  }

  /**
   * Answers a call that is answered again and again, until its messages or its
   * signal end it.
   *
   * @param pour takes the messages, at its own pace, until there are no more
   * @throws {NetworkError}
   */
  async stream(call: Call, request: Uint8Array, pour: (messages: AsyncIterable<Uint8Array>, over: AbortSignal) => Promise<void>): Promise<void> {
    const over = AbortSignal.any([call.signal, this.stopping.signal]);
    const observed = this.#begin(call);
    try {
      this.#admit(call);
      await this.#pour(observed, request, over, pour);
    } catch (cause) {
      throw observed.outcome.error = this.#asNetworkError(cause, call);
    } finally {
      this.#end(observed);
    }
  }

  async #pour(observed: Observed, request: Uint8Array, over: AbortSignal, pour: (messages: AsyncIterable<Uint8Array>, over: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.stopping;
    try {
      await pour(encodeEach(observed.call.procedure, this.#make(observed, request, over) as AsyncIterable<object>), over);
    } catch (error) {
      throw signal.aborted ? stopped() : error;
    }
    if (signal.aborted) throw stopped();
  }

  /**
   * Lets somebody call what is beside the contract, if they may open the driver.
   *
   * @param name what it is called
   * @throws {NetworkError}
   */
  async welcome(caller: Pick<Call, 'connection' | 'identity' | 'denied'>, name: string): Promise<void> {
    const call: Call = { ...caller, procedure: { ...open, name }, id: nameCall(), signal: caller.connection.closed };
    const observed = this.#begin(call);
    try {
      this.#admit(call);
    } catch (cause) {
      throw observed.outcome.error = this.#asNetworkError(cause, call);
    } finally {
      this.#end(observed);
    }
  }

  #begin(call: Call): Observed {
    call.connection.inFlight += 1;
    for (const observer of this.#options.observers) observer.begun?.(call);
    return { call, started: performance.now(), request: undefined, outcome: { ms: 0 } };
  }

  #end({ call, started, request, outcome }: Observed): void {
    call.connection.inFlight -= 1;
    outcome.ms = performance.now() - started;
    for (const observer of this.#options.observers) observer.ended(call, outcome, request);
  }

  /** Lets a call in. @throws {NetworkError} if its caller may not make it, or not now */
  #admit(call: Call): void {
    this.#options.limits?.admit(call);
    if (call.denied !== undefined) throw call.denied;
    (this.#options.authorize ?? refuseChanges)(call);
  }

  /** Reads what a call asks for, and asks the driver for it. @throws {NetworkError} */
  #make(observed: Observed, bytes: Uint8Array, signal: AbortSignal): unknown {
    const { call } = observed;
    const { driverFor, adminFor, observers } = this.#options;
    const { service, key, name } = call.procedure;
    const answers = (service === 'Admin' ? adminFor?.(call) : driverFor(call)) as Answers | undefined;
    if (answers === undefined) throw new NetworkError(ErrorCode.NO_SUPPORT, name);
    const request = observed.request = decode(call.procedure, bytes);
    for (const observer of observers) observer.asked?.(call, request);
    return answers[key]!(request, signal);
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

async function* encodeEach(procedure: ServedProcedure, messages: AsyncIterable<object>): AsyncGenerator<Uint8Array> {
  for await (const message of messages) {
    let bytes = encoded.get(message);
    if (bytes === undefined) encoded.set(message, bytes = encodeMessage(procedure.responseType, message));
    yield bytes;
  }
}

/** What a call ends with that a stop of the daemon ended, or that came after it. */
export function stopped(): NetworkError {
  return new NetworkError(ErrorCode.RPC, 'vnetd is stopping', { hint: 'connect again when it has started' });
}

function decode(procedure: ServedProcedure, request: Uint8Array): unknown {
  try {
    return procedure.requestType.decode(request);
  } catch (error) {
    throw new NetworkError(ErrorCode.INVALID_ARG, `the request of ${procedure.name} is malformed: ${(error as Error).message}`);
  }
}
