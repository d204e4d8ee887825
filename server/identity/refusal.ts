/**
 * Lives here: the few bytes of HTTP/2 that tell a client why it is not served,
 * without reading anything of what it says. Does not know: who is refused.
 */

const settings = 0x4;
const goAway = 0x7;
/** The transport is not good enough for this (RFC 9113, section 7). */
const inadequateSecurity = 0xc;

/**
 * Empty settings, with which every server begins, and a GOAWAY that carries
 * the reason as its debug data. Clients of gRPC show it.
 *
 * @param why at most 1000 characters of it are sent
 */
export function renderRefusal(why: string): Buffer {
  const reason = Buffer.from(why.slice(0, 1000));
  const body = Buffer.alloc(8);
  body.writeUInt32BE(inadequateSecurity, 4);
  return Buffer.concat([frame(settings, Buffer.alloc(0)), frame(goAway, Buffer.concat([body, reason]))]);
}

function frame(type: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  return Buffer.concat([header, payload]);
}
