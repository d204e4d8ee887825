/**
 * Lives here: what carries calls to a daemon, and what it says when it could
 * not. Does not know: how calls are carried, or repeated.
 */
import { ErrorCode, NetworkError, type ErrorExtras } from '../shared/errors.js';

/** An encoded message. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** A way to carry calls to a daemon. */
export interface Carrier {
  /**
   * Makes a call once.
   *
   * @param timeoutMs how long it may take, in milliseconds
   * @throws {NetworkError} what the daemon answers; OPERATION_TIMEOUT, OPERATION_ABORTED; Unanswered if the connection broke
   */
  call(service: string, method: string, data: Uint8Array, timeoutMs: number, signal?: AbortSignal): Promise<Bytes>;
  /**
   * Makes a call that is answered again and again. Leaving the loop, or the
   * signal, ends it. It may take as long as the connection lives.
   *
   * @throws {NetworkError} as `call`
   */
  stream(service: string, method: string, data: Uint8Array, signal?: AbortSignal): AsyncIterable<Bytes>;
  /** Lets the connection go. */
  close(): void;
}

/** The connection broke, or never was, before a call was answered. */
export class Unanswered extends NetworkError {
  /** The daemon may have got the request. */
  readonly left: boolean;

  constructor(message: string, left: boolean, extras: ErrorExtras = {}) {
    super(ErrorCode.RPC, message, extras);
    this.left = left;
  }
}
