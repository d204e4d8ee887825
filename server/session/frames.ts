/**
 * Lives here: reading what a client sends in a session, and wording how its
 * calls end. Does not know: what is done about it, gRPC.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { AttachRequest, type ClientFrame, type EndFrame } from '../../shared/gen/vnet/v1/session.js';
import { framesInMessage } from '../../shared/session/outbox.js';
import { encodeError } from '../../shared/status.js';

/**
 * Reads one message.
 *
 * @throws {NetworkError} INVALID_ARG if it is none, or has more frames than allowed
 */
export function readFrames(bytes: Uint8Array): ClientFrame[] {
  if (countFrames(bytes) > framesInMessage) throw broken(`a message holds more than ${framesInMessage} frames`);
  try {
    return AttachRequest.decode(bytes).frames;
  } catch (error) {
    throw broken(`a message is malformed: ${(error as Error).message}`);
  }
}

/** A client does not keep to the rules of session.proto. */
export function broken(why: string): NetworkError {
  return new NetworkError(ErrorCode.INVALID_ARG, `the session is over: ${why}`);
}

const complete = Buffer.alloc(0);

/**
 * How a call ends.
 *
 * @param name what the daemon's log calls it
 */
export function endFrame(call: number, error?: NetworkError, untouched = false, name?: string): EndFrame {
  return { call, status: error === undefined ? complete : encodeError(error, name === undefined ? undefined : { id: name }).detail as Buffer, untouched };
}

/** Field 1, with a length: `AttachRequest.frames`. */
const frameTag = 0x0a;

/**
 * Counts what would become objects before any is made: two bytes are enough for
 * a frame, and a message has room for millions. Stops counting when it is too
 * many, or is cut short, which reading it finds out.
 */
function countFrames(bytes: Uint8Array): number {
  let count = 0;
  // Each has a tag, a length, and so many bytes.
  for (let at = 0; at < bytes.length && count <= framesInMessage; count += 1) {
    // A message has nothing but frames, now and later: what is skipped here cannot hide some.
    if (bytes[at++] !== frameTag) throw broken('a message is malformed: it holds something else than frames');
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 28) return count;
      length += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    at += length;
  }
  return count;
}
