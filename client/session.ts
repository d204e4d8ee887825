/**
 * Lives here: one session with a daemon, from its first call to its end: calls
 * as frames of one stream. Does not know: what becomes of calls that it could
 * not carry.
 */
import type { ClientDuplexStream, StatusObject } from '@grpc/grpc-js';
import { encodeMessage } from '../shared/encode.js';
import { ErrorCode, type NetworkError } from '../shared/errors.js';
import { Status } from '../shared/gen/google/rpc/status.js';
import { AttachRequest, AttachResponse, type ClientFrame, type EndFrame, type ServerFrame } from '../shared/gen/vnet/v1/session.js';
import { GrpcStatus } from '../shared/grpc-status.js';
import { Deadlines } from '../shared/session/deadlines.js';
import { Heartbeat, type Patience } from '../shared/session/heartbeat.js';
import { Outbox } from '../shared/session/outbox.js';
import { Wakeful } from '../shared/session/wakeful.js';
import { decodeError } from '../shared/status.js';
import { Unanswered, type Bytes } from './carrier.js';
import type { Channel } from './channel.js';
import { aborted, asBuffer, receivedError } from './grpc-rpc.js';

/** Who waits for a call. */
export interface Waiting {
  method: string;
  /** It goes on as long as the session: a stream of responses. */
  endless: boolean;
  /** Set once the request is with the transport. */
  left: boolean;
  /** Takes a response; of a call that has one, its end. */
  response(message: Bytes): void;
  /** The call has ended in another way. Nothing follows. */
  ended(error?: NetworkError | NoSession): void;
  /** The call takes longer than it may. */
  late(): void;
}

/** The other end has no sessions: the call was not made. */
export class NoSession extends Error {}

/** A session. It is open from the start: what is sent first travels with the opening. */
export class ClientSession {
  readonly #channel: Channel;
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  readonly #outbox: Outbox<Partial<ClientFrame>>;
  readonly #heartbeat: Heartbeat;
  readonly #open = new Map<number, Waiting>();
  readonly #deadlines = new Deadlines<number>();
  readonly #wakeful = new Wakeful();
  #last = 0;
  #pings = 0;
  #answered = false;
  #stopping = false;
  #over = false;

  constructor(channel: Channel, patience: Patience) {
    this.#channel = channel;
    const stream = this.#stream = channel.client.makeBidiStreamRequest('/vnet.v1.Session/Attach', asBuffer, asBuffer, channel.metadata.clone());
    this.#outbox = new Outbox((frames, taken) => {
      for (const { call } of frames) if (call !== undefined) this.#note(call.call);
      stream.write(asBuffer(encodeMessage(AttachRequest, { frames: frames as ClientFrame[] })), taken);
    }, Infinity);
    this.#heartbeat = new Heartbeat(patience, {
      ping: () => this.#send({ ping: { number: this.#pings += 1 } }),
      silent: () => this.#lost(`no sign of life for ${(patience.pingAfterMs + patience.answerWithinMs) / 1000} s`),
    });
    stream.on('data', (message: Buffer) => this.#take(message));
    // The status says it.
    stream.on('error', () => undefined);
    // What came before it is heard first.
    stream.on('status', (status: StatusObject) => setImmediate(() => this.#closed(status)));
  }

  /** Whether the daemon has said something in it. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Whether it takes further calls. */
  get usable(): boolean {
    return !this.#over && !this.#stopping;
  }

  /** Makes a call. Gives its id. @param timeoutMs how long it may take, in milliseconds; 0: as long as it likes */
  call(path: string, request: Uint8Array, timeoutMs: number, credit: number, waiting: Waiting): number {
    do this.#last = (this.#last + 1) >>> 0; while (this.#open.has(this.#last));
    const call = this.#last;
    this.#open.set(call, waiting);
    if (timeoutMs > 0) this.#deadlines.set(call, timeoutMs, () => waiting.late());
    if (this.#open.size === 1) this.#wakeful.expect();
    this.#outbox.push({ call: { call, method: path, request: request as Buffer, timeoutMs: Math.min(Math.ceil(timeoutMs), 2 ** 32 - 1), credit } }, request.length);
    return call;
  }

  /** Nobody waits for a call any more. */
  cancel(call: number): void {
    if (this.#ended(call) !== undefined) this.#send({ cancel: { call } });
  }

  /** Takes more of a stream of responses. */
  credit(call: number, messages: number): void {
    this.#send({ credit: { call, messages } });
  }

  /** Ends it once its calls are answered; streams of responses end at once. */
  close(): void {
    this.#stopping = true;
    for (const [call, open] of this.#open) {
      if (!open.endless) continue;
      this.cancel(call);
      open.ended(aborted(open.method));
    }
    this.#endIfIdle();
  }

  #note(call: number): void {
    const open = this.#open.get(call);
    if (open !== undefined) open.left = true;
  }

  #send(frame: Partial<ClientFrame>): void {
    this.#outbox.push(frame, 0);
  }

  #take(message: Buffer): void {
    if (this.#over) return;
    this.#answered = true;
    this.#wakeful.came();
    this.#heartbeat.heard();
    try {
      for (const frame of AttachResponse.decode(message).frames) this.#takeFrame(frame);
    } catch (error) {
      this.#lost(`it sent what cannot be read: ${(error as Error).message}`);
    }
    if (this.#stopping) this.#endIfIdle();
  }

  #takeFrame({ response, message, end, ping, stopping }: ServerFrame): void {
    if (response !== undefined) this.#ended(response.call)?.response(response.response as unknown as Bytes);
    else if (message !== undefined) this.#open.get(message.call)?.response(message.message as unknown as Bytes);
    else if (end !== undefined) {
      // First: a status that cannot be read must not leave its call without an end.
      const error = errorOf(end);
      this.#ended(end.call)?.ended(error);
    } else if (ping !== undefined) this.#send({ pong: ping });
    else if (stopping !== undefined) this.#stopping = true;
  }

  #ended(call: number): Waiting | undefined {
    const open = this.#open.get(call);
    if (this.#open.delete(call)) this.#deadlines.delete(call);
    return open;
  }

  #endIfIdle(): void {
    if (this.#open.size === 0) this.#finish(() => undefined);
  }

  /** The stream has ended by itself. */
  #closed(status: StatusObject): void {
    if (this.#over) return;
    if (status.code as number === GrpcStatus.UNIMPLEMENTED && !this.#answered) return this.#finish(() => new NoSession());
    if (status.code as number === GrpcStatus.OK) return this.#lost('the daemon has ended the session');
    const { place } = this.#channel;
    const reason = receivedError(status, 'Attach', place, 0);
    if (reason instanceof Unanswered) return this.#finish(({ left }) => new Unanswered(reason.message, reason.left && left, { hint: reason.hint }));
    // Refused as a whole: so is every call. Later it is the session that ended.
    this.#finish(({ left }) => this.#answered ? new Unanswered(reason.message, left, { hint: reason.hint }) : reason);
  }

  #lost(why: string): void {
    this.#finish(({ left }) => new Unanswered(`the connection to '${this.#channel.place}' is lost: ${why}`, left));
  }

  #finish(errorFor: (open: Waiting) => NetworkError | NoSession | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#heartbeat.stop();
    this.#deadlines.clear();
    this.#outbox.close();
    this.#stream.cancel();
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const one of open) one.ended(errorFor(one));
  }
}

function errorOf({ status, untouched }: EndFrame): NetworkError | undefined {
  if (status.length === 0) return undefined;
  const { code, message } = Status.decode(status);
  const error = decodeError(code, message, status);
  return untouched && error.code === ErrorCode.RPC ? new Unanswered(error.message, false, { hint: error.hint }) : error;
}
