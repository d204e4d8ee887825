/**
 * Lives here: the audit: who did what to which network, and what came of it;
 * who was refused what. Does not know: why, and where its lines go.
 *
 * A changing call has two records with one call id: what is about to be done,
 * before it is done, and what came of it. If the daemon is killed between them,
 * the first stands alone. A refused call has one.
 */
import { changes } from '../../shared/procedures.js';
import { ErrorCode, errorCodeName, NetworkError } from '../../shared/errors.js';
import type { Network } from '../../shared/gen/vnet/v1/network_driver.js';
import type { Call, CallObserver, Outcome } from '../calls.js';
import type { Config } from '../config.js';
import type { TurnedAway } from '../connections.js';
import type { Log } from '../log.js';
import { LineFile } from './audit-file.js';
import { handleIn, networkDefined } from './document.js';
import { Hidden } from './refusal.js';
import { Sparing } from './sparing.js';

/** The longest text in a record, in characters: what callers write is as long as they like. */
const longestText = 256;

/** Errors that say that somebody was refused. */
const refusals: readonly ErrorCode[] = [ErrorCode.ACCESS_DENIED, ErrorCode.OPERATION_DENIED, ErrorCode.AUTH_FAILED];

/** How many of those who are turned away for the same have a record of their own in a minute; of the others only their number is told. */
const turnedAwayPerMinute = 20;

/** What the audit needs. */
export interface AuditOptions {
  /** Puts a line where the audit is kept. Throws if it cannot. */
  write(line: string): void;
  /** A changing call fails if its record cannot be written. */
  required: boolean;
  /** Where it is said that records cannot be written. */
  log: Log;
  /** The network that a handle is about. Throws if there is none. */
  which(handle: Network | undefined): Network;
}

/** An observer of calls that keeps record of them. */
export class Audit implements CallObserver {
  readonly #options: AuditOptions;
  /** What changing calls are about, while they are answered: afterwards it may be gone. */
  readonly #begun = new WeakMap<Call, Network | undefined>();
  readonly #turnedAway = new Sparing(turnedAwayPerMinute, (code, leftOut) => {
    this.#put({ event: 'refused', code, left_out: leftOut, reason: 'so many more were turned away in a minute' });
  });
  #failing = false;

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** Writes down what a changing call is about to do. @throws {NetworkError} SYSTEM_ERROR if that fails and is required */
  asked(call: Call, request: unknown): void {
    if (!changes(call.procedure)) return;
    const network = this.#networkOf(request);
    this.#begun.set(call, network);
    const failure = this.#write('intent', call, network, call.procedure.service === 'Admin' ? { asked: request } : {});
    if (failure === undefined || !this.#options.required) return;
    throw new NetworkError(ErrorCode.SYSTEM_ERROR, `${call.procedure.name} is not done, because the audit cannot be written: ${failure.message}`, {
      hint: 'make room for the audit file of the host, or set audit.required = false in its vnetd.toml', cause: failure,
    });
  }

  ended(call: Call, { ms, error, response }: Outcome, request: unknown): void {
    const hidden = error?.cause instanceof Hidden ? error.cause.network : undefined;
    const refused = hidden !== undefined || (error !== undefined && refusals.includes(error.code));
    if (!refused && !this.#begun.has(call)) return;
    const network = hidden ?? handleIn(response ?? {}) ?? this.#begun.get(call) ?? this.#networkOf(request);
    this.#write(refused ? 'refused' : 'result', call, network, {
      code: error === undefined ? 'OK' : errorCodeName(error.code),
      ...(error === undefined ? {} : { reason: error.message }),
      ...(refused && error?.hint !== undefined && error.code === ErrorCode.ACCESS_DENIED ? { hint: error.hint } : {}),
      ms: Math.round(ms * 10) / 10,
    });
  }

  /** Keeps record of somebody who was refused before any call. */
  turnedAway({ listener, peer, connection, who, reason, greedy = false }: TurnedAway): void {
    // A flood of the ones does not hide the others.
    const code = errorCodeName(greedy ? ErrorCode.RESOURCE_BUSY : ErrorCode.AUTH_FAILED);
    if (this.#turnedAway.pass(code)) this.#put({ event: 'refused', who: who ?? null, listener, peer, connection: connection ?? null, code, reason });
  }

  #write(event: 'intent' | 'result' | 'refused', call: Call, network: Network | undefined, more: object): Error | undefined {
    const { identity, connection, procedure, id, requestId } = call;
    return this.#put({
      event, call: id, ...(requestId === undefined ? {} : { request: requestId }), who: identity.name, kind: identity.kind, ...(identity.unix === undefined ? {} : { uid: identity.unix.uid, pid: identity.unix.pid }),
      ...(identity.certificate === undefined ? {} : { fingerprint: identity.certificate.fingerprint }),
      listener: connection.listener, peer: connection.peer, connection: connection.id, procedure: procedure.name,
      network: network?.name || null, uuid: network?.uuid || null, ...more,
    });
  }

  #put(record: object): Error | undefined {
    try {
      this.#options.write(formatRecord({ time: new Date().toISOString(), audit: true, ...record }));
      this.#failing = false;
      return undefined;
    } catch (error) {
      // Said once, not for each call.
      if (!this.#failing) this.#options.log.error({ err: error }, 'the audit cannot be written');
      this.#failing = true;
      return error as Error;
    }
  }

  /** The network that a request is about: its name and UUID where there is one, else what the caller wrote. */
  #networkOf(request: unknown): Network | undefined {
    if (typeof request !== 'object' || request === null) return undefined;
    if ('xml' in request && !('network' in request)) return networkDefined(request as { xml: string });
    const handle = handleIn(request);
    try {
      return handle && this.#options.which(handle);
    } catch {
      return handle;
    }
  }
}

/** A record as one line of plain ASCII: JSON in which nothing can pass for the end of a line, or act on a terminal. */
export function formatRecord(record: object): string {
  const short = (_: string, value: unknown) => (typeof value === 'string' && value.length > longestText ? `${value.slice(0, longestText)}...` : value);
  return JSON.stringify(record, short).replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The audit of a daemon. */
export interface OpenAudit {
  audit: Audit;
  /** Goes on in a new file, if the old one was moved away. */
  reopen(): void;
  close(): void;
}

/**
 * Opens the audit of a daemon.
 *
 * @param say puts a line into the log, for an audit without a file, and for what its file does not take
 * @throws Error if its file cannot be written
 */
export function openAudit({ file, required }: Config['audit'], say: (line: string) => void, options: Pick<AuditOptions, 'log' | 'which'>): OpenAudit {
  if (file === '') {
    if (required) throw new Error('audit.required needs audit.file: whether a line of the log arrives cannot be known');
    return { audit: new Audit({ ...options, required, write: say }), reopen: () => undefined, close: () => undefined };
  }
  const lines = new LineFile(file);
  const reopen = () => {
    try {
      lines.reopen();
    } catch (error) {
      options.log.error({ err: error, file }, 'the audit goes on in the file that it has open');
    }
  };
  const write = (line: string) => {
    try {
      lines.write(line);
    } catch (error) {
      // Better there than nowhere.
      say(line);
      throw error;
    }
  };
  return { audit: new Audit({ ...options, required, write }), reopen, close: () => lines.close() };
}
