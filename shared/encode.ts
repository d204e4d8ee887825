/**
 * Lives here: encoding messages into one buffer that is used again and again.
 * The only file beside the generated code that knows the wire format's library.
 * Does not know: any message.
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire';

export type { BinaryWriter };

/** A message after which a new buffer is used, in bytes: one large answer should not be remembered for good. */
const largest = 64 * 1024;

let spare: BinaryWriter | undefined;

/** The bytes of a message: the same as `codec.encode(message).finish()`, for less. */
export function encodeMessage<T>(codec: { encode(message: T, into?: BinaryWriter): BinaryWriter }, message: T): Uint8Array {
  const writer = spare ?? new BinaryWriter();
  // What fails half-way leaves its half behind.
  spare = undefined;
  const bytes = codec.encode(message, writer).finish();
  if (bytes.length <= largest) spare = writer;
  return bytes;
}
