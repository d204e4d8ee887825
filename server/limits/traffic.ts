/**
 * Lives here: what one connection sends and does not take, against the limits.
 * Does not know: other connections, calls, who somebody is.
 *
 * HTTP/2 is read by native code, which has few bounds and tells of few frames.
 * What it tells is counted here: each call, each piece of a request, each PING
 * and SETTINGS. What it does not tell of is seen in the bytes: those that have
 * arrived and belong to nothing that was counted.
 */
import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { SessionLoad } from '../connections.js';
import { Allowance } from './allowance.js';
import type { Limits } from './limits.js';
import { Messages } from './messages.js';

/** What a call may cost beside its request, in bytes: its metadata, and the frame's and TLS's own. */
const headersCredit = 2048;

/** The same of a piece of a request. */
const pieceCredit = 64;

/** What may be under way of a request when its call is over: the window. */
const windowCredit = 65_535;

/** Of the bytes that were sent, this part comes back as confirmations at the most. */
const confirmedPart = 1 / 4;

/** What may wait for a reader for ever: some watches to which nobody listens. */
const unsentFree = 1024 * 1024;

/** Less than this in `stalledSeconds` is no reading. */
const readingBytes = 64 * 1024;

/** A request may take so many times `stalledSeconds` in all. */
const patience = 3;

/** A call that is open. */
interface Open {
  stream: ServerHttp2Stream;
  messages: Messages;
  /** Its requests come as they come: it may say nothing. */
  lasting: boolean;
  /** When its last piece came, and when the message began that is not whole, in milliseconds. */
  heard: number;
  begun: number;
  /** That it was given up has been counted. */
  counted: boolean;
}

/** Who is told that a limit was reached; both may be told more than once. */
export interface Told {
  /** The connection has to go. */
  exceeded(limit: keyof Limits): void;
  /** The library refuses a call. */
  refused(limit: keyof Limits): void;
}

/** Bytes that all connections together hold. */
export interface Held {
  unread: number;
}

/** What a connection sends and does not take. */
export class Traffic {
  /** A whole request has arrived. */
  spoke = false;
  /** When its last call began or ended, in milliseconds. */
  lastCall: number;
  /** Bytes of requests that are not whole. */
  unread = 0;
  /** Bytes that wait for their reader, when it was looked last. */
  unsent = 0;
  readonly #open = new Set<Open>();
  readonly #resets: Allowance;
  readonly #control: Allowance;
  readonly #overhead: Allowance;
  #accounted = 0;
  #examined = 0;
  /** Bytes of answers since it was looked last how many wait. */
  #answered = 0;
  #mark = { at: 0, written: 0, unsent: Infinity };

  /**
   * @param socket the one that was accepted
   * @param sessions have answers that are not with the socket yet
   * @param largest the limit of a request's size
   */
  constructor(
    private readonly socket: Socket, private readonly sessions: ReadonlySet<Pick<SessionLoad, 'unsent'>>, private readonly limits: Limits, private readonly largest: keyof Limits, private readonly held: Held,
    private readonly told: Told, now: number,
  ) {
    this.lastCall = now;
    this.#resets = new Allowance(limits.resets, limits.resetsPerSecond, now);
    this.#control = new Allowance(limits.controlFrames, limits.controlFramesPerSecond, now);
    this.#overhead = new Allowance(limits.overheadBytes, limits.overheadBytesPerSecond, now);
    socket.once('close', () => this.#forget());
  }

  /** Calls that are open, whoever answers them. */
  get calls(): number {
    return this.#open.size;
  }

  /** Follows an HTTP/2 session. @param isLasting whether a call by this path may be silent */
  follow(session: ServerHttp2Session, isLasting: (path: string) => boolean): void {
    const control = () => { if (!this.#control.take(1, performance.now())) this.told.exceeded('controlFrames'); };
    session.on('ping', control);
    session.on('remoteSettings', control);
    session.prependListener('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, fields: readonly string[]) => {
      this.#examineHeaders(fields);
      this.#begin(stream, isLasting(String(headers[':path'])));
    });
  }

  /** Notes that so many bytes are about to be sent. */
  answer(bytes: number): void {
    this.#answered += bytes;
    // What a look every quarter of a second does not see in time.
    if (this.unsent + this.#answered > this.limits.unsentBytes && this.#measureUnsent() + bytes > this.limits.unsentBytes) this.told.exceeded('unsentBytes');
  }

  /** Looks at what time shows: what is stalled, and what the bytes tell. */
  examine(now: number): void {
    this.#examineBytes(now);
    this.#examineRequests(now);
    this.#examineAnswers(now);
  }

  /** @param fields names and values in turn */
  #examineHeaders(fields: readonly string[]): void {
    if (fields.length > 2 * this.limits.headerPairs) return this.told.exceeded('headerPairs');
    let bytes = 16 * fields.length;
    for (const text of fields) bytes += text.length;
    if (bytes > this.limits.headerBytes) this.told.exceeded('headerBytes');
  }

  #begin(stream: ServerHttp2Stream, lasting: boolean): void {
    const now = performance.now();
    const call: Open = { stream, lasting, messages: new Messages(), heard: now, begun: now, counted: false };
    this.#open.add(call);
    this.lastCall = now;
    this.#accounted += headersCredit;
    this.#control.give(1);
    const push = stream.push;
    // What native code has read comes by this way, a piece of a DATA frame at a time.
    stream.push = (piece: Buffer | null, encoding?: BufferEncoding) => {
      if (piece !== null) this.#arrived(call, piece);
      return push.call(stream, piece, encoding);
    };
    stream.once('close', () => this.#ended(call));
    // Of those that come and are given up in one packet, all beginnings are told before the first end.
    this.#countReset(call, now);
  }

  #arrived(call: Open, piece: Buffer): void {
    const { messages } = call;
    const { partial, whole, longest } = messages;
    const good = messages.take(piece);
    call.heard = performance.now();
    if (messages.whole > whole) {
      this.spoke = true;
      call.begun = call.heard;
      this.#control.give(messages.whole - whole);
    }
    const most = this.limits[this.largest];
    if (messages.longest > most && longest <= most) this.told.refused(this.largest);
    this.#accounted += piece.length + pieceCredit;
    this.#hold(messages.partial - partial);
    if (!good) this.told.exceeded('overheadBytes');
    if (this.unread > this.limits.unreadBytes) this.told.exceeded('unreadBytes');
  }

  #ended(call: Open): void {
    this.#open.delete(call);
    const now = performance.now();
    this.lastCall = now;
    this.#hold(-call.messages.partial);
    if (!call.stream.readableEnded) this.#accounted += windowCredit;
    this.#countReset(call, now);
  }

  /** Whoever gives up a call before it is answered says so with a reset. */
  #countReset(call: Open, now: number): void {
    if (call.counted || call.stream.rstCode === constants.NGHTTP2_NO_ERROR) return;
    call.counted = true;
    if (!this.#resets.take(1, now)) this.told.exceeded('resets');
  }

  #hold(bytes: number): void {
    this.unread += bytes;
    this.held.unread += bytes;
  }

  #forget(): void {
    this.#hold(-this.unread);
    this.unread = 0;
  }

  /** Bytes that belong to no call: WINDOW_UPDATE, PRIORITY, frames without anything in them, metadata without an end. */
  #examineBytes(now: number): void {
    const stray = this.socket.bytesRead - this.#accounted - this.socket.bytesWritten * confirmedPart;
    if (!this.#overhead.take(stray - this.#examined, now)) this.told.exceeded('overheadBytes');
    this.#examined = stray;
  }

  #examineRequests(now: number): void {
    const stalledMs = this.limits.stalledSeconds * 1000;
    for (const { messages, lasting, heard, begun, stream } of this.#open) {
      const waits = messages.partial > 0 || (messages.whole === 0 && !lasting && !stream.readableEnded);
      if (waits && (now - heard > stalledMs || now - begun > patience * stalledMs)) return this.told.exceeded('stalledSeconds');
    }
  }

  #examineAnswers(now: number): void {
    if (this.#measureUnsent() > this.limits.unsentBytes) return this.told.exceeded('unsentBytes');
    const written = this.socket.bytesWritten;
    const reads = this.unsent < this.#mark.unsent || written - this.#mark.written >= readingBytes;
    if (this.unsent <= unsentFree || reads) this.#mark = { at: now, written, unsent: this.unsent <= unsentFree ? Infinity : this.unsent };
    else if (now - this.#mark.at > this.limits.stalledSeconds * 1000) this.told.exceeded('stalledSeconds');
  }

  #measureUnsent(): number {
    this.#answered = 0;
    // What native code has taken, and the kernel has not: with a wide window that is all of it.
    this.unsent = (this.socket as Socket & { _handle?: { writeQueueSize?: number } })._handle?.writeQueueSize ?? 0;
    for (const { stream } of this.#open) this.unsent += stream.writableLength;
    for (const { unsent } of this.sessions) this.unsent += unsent;
    return this.unsent;
  }
}
