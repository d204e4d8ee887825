/**
 * Lives here: how much callers may ask of the daemon: what each limit means,
 * its default and why, and its key in vnetd.toml. Does not know: how a limit
 * is kept.
 */
import type { Check } from '../config-keys.js';

/** How much callers may ask. */
export interface Limits {
  /** Connections at the same time, in all. Fewer if the process may not open so many files. */
  connections: number;
  /** Of these, how many only the read-write unix socket may use: whoever floods the others does not lock out the host's own people. */
  connectionsKept: number;
  /** From one address of a network. */
  connectionsPerAddress: number;
  /** Of one account of this host, where it is known. Neither root nor the daemon's own account is counted. */
  connectionsPerUser: number;
  /**
   * Connections that have not made a call yet, other than by the read-write socket, whose peers the kernel has let in.
   * One more, and the oldest of whoever has most of them goes: who comes to stay is not kept out by those who say nothing.
   */
  unauthenticated: number;
  /** How long TLS may take to be agreed on, in seconds. */
  handshakeSeconds: number;
  /** How long a connection may take until its first call has arrived, in seconds. */
  firstCallSeconds: number;
  /** How long a connection may be open without a call, in seconds. */
  idleSeconds: number;
  /** How long half a request may wait for the rest, and an answer for its reader to take any of it, in seconds. */
  stalledSeconds: number;
  /** How often a connection may bring a token that is none. Then it is closed. */
  failedProofs: number;
  /** Calls that are being answered, in all; beside them each connection may have one. A watch is a call as long as it lasts. */
  calls: number;
  callsPerConnection: number;
  /** Calls of one session that are being done at the same time; further ones wait. */
  sessionCalls: number;
  /** Calls of one session that may wait; while there are more, it is not read. */
  sessionWaitingCalls: number;
  /** Streams of responses of one session at the same time. */
  sessionStreams: number;
  /** Bytes of answers that wait in one session for its client to read; while there are more, nothing is begun in it and it is not read. */
  sessionUnsentBytes: number;
  /** The largest request, in bytes. An XML document can have 1 MiB. */
  messageBytes: number;
  /** The same on the read-only socket, by which no document comes. */
  readonlyMessageBytes: number;
  /** The largest answer, in bytes. */
  responseBytes: number;
  /**
   * A call's metadata, in bytes, its path among it and 32 for each field. Clients are told, and a call with more is
   * refused; whoever has not listened is cut off.
   */
  headerBytes: number;
  /** A call's metadata, in fields. Whoever sends more is cut off. */
  headerPairs: number;
  /** Bytes of requests that have not arrived whole, of one connection. */
  unreadBytes: number;
  /** The same of all connections. */
  unreadBytesInAll: number;
  /** Bytes of answers that wait for their reader, of one connection. */
  unsentBytes: number;
  /** The same of all connections. */
  unsentBytesInAll: number;
  /** Calls that a caller gives up: so many at once, and so many a second for long. */
  resets: number;
  resetsPerSecond: number;
  /** PING and SETTINGS of a caller: so many at once, and so many a second for long; each call and each message gives one more. */
  controlFrames: number;
  controlFramesPerSecond: number;
  /** Bytes that belong to no call: so many at once, and so many a second for long. */
  overheadBytes: number;
  overheadBytesPerSecond: number;
}

/** The most that may be allowed of a call's metadata, in fields. */
export const mostHeaderPairs = 1024;

const KiB = 1024;
const MiB = 1024 * KiB;

/**
 * What holds where the file says nothing. Each bounds what a stranger can
 * take, and is several times what the greediest honest client was seen to need:
 * libvirt allows 5,000 clients, 20 that are not authenticated and a 32 MiB
 * message, and a connection costs it as much.
 */
export const usualLimits: Limits = {
  // 60 kB of memory each; the target is 1,100 in 150 MB.
  connections: 2000,
  connectionsKept: 64,
  connectionsPerAddress: 128,
  connectionsPerUser: 512,
  // An honest client needs a few milliseconds, or a few times the way there and back.
  unauthenticated: 256,
  handshakeSeconds: 5,
  firstCallSeconds: 20,
  // A client that is asked less often connects again, which takes it some milliseconds.
  idleSeconds: 600,
  stalledSeconds: 20,
  // Whoever has a token that has expired makes some calls with it.
  failedProofs: 5,
  // A thousand watchers and as many lookups.
  calls: 4000,
  callsPerConnection: 1000,
  // More at the same time make nothing faster; a window full of lookups may wait.
  sessionCalls: 64,
  sessionWaitingCalls: 256,
  sessionStreams: 256,
  sessionUnsentBytes: 256 * KiB,
  messageBytes: 2 * MiB,
  readonlyMessageBytes: 64 * KiB,
  // 16,384 networks in one table take 4 MiB, 65,536 leases 9 MiB.
  responseBytes: 16 * MiB,
  headerBytes: 16 * KiB,
  headerPairs: 64,
  unreadBytes: 8 * MiB,
  unreadBytesInAll: 64 * MiB,
  unsentBytes: 32 * MiB,
  unsentBytesInAll: 128 * MiB,
  // A program gives up all its watches at once. HTTP/2 in Node allows 1,000 and 33 a second, and sees a call of half a millisecond in each.
  resets: 200,
  resetsPerSecond: 30,
  // Go's and C++'s libraries measure the line with a PING for each answer; otherwise one in 10 seconds is usual.
  controlFrames: 500,
  controlFramesPerSecond: 10,
  // A caller confirms what it has read: 26 bytes for each 16 KiB.
  overheadBytes: 256 * KiB,
  overheadBytesPerSecond: 8 * KiB,
};

/** A whole number between two. */
export const whole = (least: number, most: number): Check => (value) => (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
  ? { value } : { allowed: `a whole number from ${least} to ${most}` });
const seconds: Check = (value) => (typeof value === 'number' && value >= 0.1 && value <= 86_400 ? { value } : { allowed: 'seconds, from 0.1 to 86400' });
const bytes = whole(1024, 1024 * MiB);
const many = whole(1, 1_000_000);

/** The keys of [limits]. */
export const limitKeys: Record<string, [field: keyof Limits, check: Check]> = {
  connections: ['connections', many], connections_kept: ['connectionsKept', whole(0, 1_000_000)],
  connections_per_address: ['connectionsPerAddress', many], connections_per_user: ['connectionsPerUser', many],
  unauthenticated: ['unauthenticated', many],
  handshake_seconds: ['handshakeSeconds', seconds], first_call_seconds: ['firstCallSeconds', seconds],
  idle_seconds: ['idleSeconds', seconds], stalled_seconds: ['stalledSeconds', seconds],
  failed_proofs: ['failedProofs', many],
  calls: ['calls', many], calls_per_connection: ['callsPerConnection', many],
  session_calls: ['sessionCalls', many], session_waiting_calls: ['sessionWaitingCalls', many],
  session_streams: ['sessionStreams', many], session_unsent_bytes: ['sessionUnsentBytes', bytes],
  message_bytes: ['messageBytes', bytes], readonly_message_bytes: ['readonlyMessageBytes', bytes], response_bytes: ['responseBytes', bytes],
  header_bytes: ['headerBytes', whole(1024, 64 * KiB)], header_pairs: ['headerPairs', whole(16, mostHeaderPairs)],
  unread_bytes: ['unreadBytes', bytes], unread_bytes_in_all: ['unreadBytesInAll', bytes],
  unsent_bytes: ['unsentBytes', bytes], unsent_bytes_in_all: ['unsentBytesInAll', bytes],
  resets: ['resets', many], resets_per_second: ['resetsPerSecond', many],
  control_frames: ['controlFrames', many], control_frames_per_second: ['controlFramesPerSecond', many],
  overhead_bytes: ['overheadBytes', bytes], overhead_bytes_per_second: ['overheadBytesPerSecond', bytes],
};

/** The name of a limit in vnetd.toml, as errors, the log and the metrics call it: `limits.calls_per_connection`. */
export function nameLimit(field: keyof Limits): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
