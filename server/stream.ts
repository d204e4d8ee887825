/**
 * Lives here: from what a method gives bit by bit to a stream of bytes, at the
 * pace of whoever reads it. Does not know: gRPC, what the bytes mean.
 */
import type { Writable } from 'node:stream';

/**
 * Writes every message to a stream until there are no more. It takes the next
 * one only when the reader has room, so a reader that does not read holds up
 * its own stream and fills nobody's memory.
 *
 * @param over aborted when nobody reads any more
 * @throws whatever the messages end with
 */
export async function pour<T>(messages: AsyncIterable<T>, encode: (message: T) => Buffer, into: Writable, over: AbortSignal): Promise<void> {
  for await (const message of messages) {
    if (!into.write(encode(message))) await room(into, over);
  }
}

/** Waits until the stream takes more, or nobody reads it any more. */
function room(stream: Writable, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      over.removeEventListener('abort', done);
      resolve();
    };
    stream.once('drain', done);
    over.addEventListener('abort', done, { once: true });
    if (over.aborted || !stream.writableNeedDrain) done();
  });
}
