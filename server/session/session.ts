/**
 * Lives here: one client's session: which of its calls are done when, how much
 * waits, and how it ends. Does not know: gRPC, what is done for a call.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { CallFrame, ClientFrame, CreditFrame, ServerFrame } from '../../shared/gen/vnet/v1/session.js';
import { Deadlines } from '../../shared/session/deadlines.js';
import { Heartbeat } from '../../shared/session/heartbeat.js';
import { Outbox } from '../../shared/session/outbox.js';
import { Wakeful } from '../../shared/session/wakeful.js';
import type { SessionLoad } from '../connections.js';
import { procedures as servedProcedures, stopped, type Call, type Calls } from '../calls.js';
import { creditLimit } from './credit.js';
import { broken, endFrame, readFrames } from './frames.js';
import type { ReachedLimit, SessionLimits } from './limits.js';
import { SessionCall } from './session-call.js';

/** What carries a session. */
export interface Wire {
  /** Sends frames as one message, and tells when the transport has taken it. */
  write(frames: Partial<ServerFrame>[], taken: () => void): void;
  /** Whether to bring further messages. */
  read(more: boolean): void;
  /** Sends what was written, then ends the session: well, or with an error. */
  end(error?: NetworkError): void;
  /** Ends the connection at once: nobody is there, or takes what is sent. @param limit the one it has passed */
  cut(limit?: ReachedLimit): void;
  /** A call was refused for this limit. */
  refused?(limit: ReachedLimit): void;
}

/** Who makes a call. */
export type Caller = Pick<Call, 'connection' | 'identity' | 'denied'>;

const procedures = new Map(servedProcedures.map((procedure) => [procedure.path, procedure]));

/** A session. */
export class Session implements SessionLoad {
  readonly #calls: Calls;
  readonly #caller: () => Caller;
  readonly #wire: Wire;
  readonly #limits: SessionLimits;
  readonly #outbox: Outbox<Partial<ServerFrame>>;
  readonly #heartbeat: Heartbeat;
  readonly #wakeful = new Wakeful();
  readonly #deadlines = new Deadlines<SessionCall>();
  readonly #stop = () => this.#begunToStop();
  /** The calls that have not ended. */
  readonly #open = new Map<number, SessionCall>();
  /** Those that wait to be begun; some may have ended. */
  #waiting: SessionCall[] = [];
  /** Calls, and streams of responses, that something is being done for, ended or not. */
  #answering = 0;
  #streaming = 0;
  #pings = 0;
  #reading = true;
  /** It has had its last call: the client has said its last word, or the daemon stops. */
  #closing = false;
  #over = false;

  /** @param caller who makes its calls, asked for each of them */
  constructor(calls: Calls, caller: () => Caller, wire: Wire, limits: SessionLimits) {
    this.#calls = calls;
    this.#caller = caller;
    this.#wire = wire;
    this.#limits = limits;
    this.#outbox = new Outbox((frames, taken) => wire.write(frames, () => {
      taken();
      this.#proceed();
    }), limits.bytesWaiting);
    this.#heartbeat = new Heartbeat(limits, {
      ping: () => this.#outbox.push({ ping: { number: this.#pings += 1 } }, 0),
      // While we do not read we cannot hear it.
      silent: () => {
        if (this.#stuck()) wire.cut('stalledSeconds');
        else if (this.#reading) wire.cut();
      },
    });
    const { signal } = calls.stopping;
    signal.addEventListener('abort', this.#stop, { once: true });
    if (signal.aborted) this.#begunToStop();
  }

  get unsent(): number {
    return this.#outbox.waiting;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get held(): boolean {
    return !this.#reading || this.#outbox.full;
  }

  /** A message from the client. */
  take(message: Uint8Array): void {
    if (this.#over) return;
    this.#wakeful.came();
    this.#heartbeat.heard();
    if (this.#stuck()) return this.#wire.cut('stalledSeconds');
    try {
      for (const frame of readFrames(message)) this.#takeFrame(frame);
    } catch (error) {
      this.gone();
      this.#wire.end(error as NetworkError);
      return;
    }
    this.#proceed();
  }

  /** The client sends nothing any more, and waits for what is in flight. */
  noMore(): void {
    this.#closing = true;
    for (const call of this.#open.values()) if (call.procedure.responseStream) call.cancel();
    this.#proceed();
  }

  /** Nobody is there any more. */
  gone(): void {
    if (this.#over) return;
    this.#over = true;
    this.#heartbeat.stop();
    this.#deadlines.clear();
    this.#calls.stopping.signal.removeEventListener('abort', this.#stop);
    for (const call of this.#open.values()) call.drop();
    this.#open.clear();
    this.#waiting = [];
    this.#outbox.close();
  }

  #takeFrame({ call, cancel, credit, ping }: ClientFrame): void {
    if (call !== undefined) this.#takeCall(call);
    else if (cancel !== undefined) this.#open.get(cancel.call)?.cancel();
    else if (credit !== undefined) this.#takeCredit(credit);
    else if (ping !== undefined) this.#outbox.push({ pong: ping }, 0);
  }

  #takeCall(frame: CallFrame): void {
    const { call: id, method, credit } = frame;
    if (this.#open.has(id)) throw broken(`call ${id} has not ended and cannot be made again`);
    if (credit > creditLimit) throw broken(`call ${id} has more credit than ${creditLimit}`);
    const procedure = procedures.get(method);
    if (procedure === undefined) return this.#outbox.push({ end: endFrame(id, new NetworkError(ErrorCode.NO_SUPPORT, method), true) }, method.length);
    const call = new SessionCall(frame, procedure, this.#deadlines, (ended, last, payload) => {
      this.#open.delete(ended.id);
      this.#outbox.push(last, payload);
    });
    this.#open.set(id, call);
    if (this.#closing) call.fail(stopped());
    else if (procedure.responseStream) void this.#stream(call);
    else this.#waiting.push(call);
  }

  #takeCredit({ call: id, messages }: CreditFrame): void {
    const call = this.#open.get(id);
    if (call !== undefined && !call.credit.add(messages)) throw broken(`call ${id} has more credit than ${creditLimit}`);
  }

  #begunToStop(): void {
    this.#closing = true;
    this.#outbox.push({ stopping: {} }, 0);
    for (const call of this.#waiting.splice(0)) call.fail(stopped());
    this.#proceed();
  }

  /** Begins what may be begun, reads on or does not, and ends the session when all is said. */
  #proceed(): void {
    if (this.#over) return;
    const { callsInFlight, callsWaiting } = this.#limits;
    while (this.#waiting.length > 0 && this.#answering < callsInFlight && !this.#outbox.full) {
      const call = this.#waiting.shift()!;
      if (!call.ended) void this.#answer(call);
    }
    const reading = this.#waiting.length < callsWaiting && !this.#outbox.full;
    if (reading !== this.#reading) {
      this.#reading = reading;
      if (reading) this.#heartbeat.heard();
      this.#wire.read(reading);
    }
    if (this.#closing && this.#waiting.length === 0 && this.#answering === 0 && this.#streaming === 0 && this.#outbox.empty) {
      this.gone();
      this.#wire.end();
    }
  }

  async #answer(call: SessionCall): Promise<void> {
    this.#answering += 1;
    call.begun = true;
    try {
      call.answer(await this.#calls.answer(this.#arrived(call), call.request));
    } catch (error) {
      call.fail(error as NetworkError);
    }
    call.done();
    this.#answering -= 1;
    // Who asks one thing after the other asks again soon.
    if (this.#open.size === 0) this.#wakeful.expect();
    this.#proceed();
  }

  async #stream(call: SessionCall): Promise<void> {
    const { streams } = this.#limits;
    if (this.#streaming >= streams) {
      this.#wire.refused?.('sessionStreams');
      return call.fail(new NetworkError(ErrorCode.RESOURCE_BUSY, `this session has ${streams} streams already`, {
        hint: 'end one, or connect once more; the limit is limits.session_streams in vnetd.toml',
      }));
    }
    this.#streaming += 1;
    call.begun = true;
    try {
      await this.#calls.stream(this.#arrived(call), call.request, (messages, over) => this.#pour(call, messages, over));
      call.complete();
    } catch (error) {
      call.fail(error as NetworkError);
    }
    this.#streaming -= 1;
    this.#proceed();
  }

  /** Sends the responses of a stream, each when the client wants it and the session has room. */
  async #pour(call: SessionCall, messages: AsyncIterable<Uint8Array>, over: AbortSignal): Promise<void> {
    for await (const message of messages) {
      await call.credit.take(over);
      await this.#outbox.room(over);
      if (over.aborted) return;
      this.#outbox.push({ message: { call: call.id, message: message as Buffer } }, message.length);
    }
  }

  /** A call as `Calls` sees it. @throws {NetworkError} if its caller is not who they were, or is there no more */
  #arrived({ name: id, procedure, signal }: SessionCall): Call {
    const { connection, identity, denied } = this.#caller();
    return { connection, identity, denied, procedure, id, signal };
  }

  /** Whether the client has taken nothing for too long. */
  #stuck(): boolean {
    const since = this.#outbox.stuckSince;
    return since !== undefined && performance.now() - since > this.#limits.stuckMs;
  }
}
