/**
 * Lives here: HTTP/2 by hand: frames as bytes, and sockets to write them to.
 * Does not know: any attack.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';

export const types = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, ping: 6, goaway: 7, window: 8, continuation: 9 };
export const endStream = 1;
export const ack = 1;
export const endHeaders = 4;

/** What a client says first: the preface, and SETTINGS. */
export const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(types.settings, 0, 0)]);

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(...values) {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => bytes.writeUInt32BE(value >>> 0, 4 * i));
  return bytes;
}

/** SETTINGS with some values by number. */
export function settings(values) {
  return frame(types.settings, 0, 0, Buffer.concat(Object.entries(values).map(([id, value]) => Buffer.concat([Buffer.from([0, Number(id)]), uint32(value)]))));
}

/** A number in HPACK, with a prefix of so many bits. */
function integer(value, bits, first) {
  const most = 2 ** bits - 1;
  if (value < most) return [first | value];
  const bytes = [first | most];
  for (let rest = value - most; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 128);
  }
}

const text = (value) => Buffer.concat([Buffer.from(integer(Buffer.byteLength(value), 7, 0)), Buffer.from(value)]);

/** A header that neither end remembers. */
export const field = (name, value) => Buffer.concat([Buffer.from([0]), text(name), text(value)]);

/** A header that goes into the table that both ends keep, and the reference to the newest one in it: one byte. */
export const remembered = (name, value) => Buffer.concat([Buffer.from([0x40]), text(name), text(value)]);
export const newest = Buffer.from([0x80 | 62]);

/** The headers of a gRPC call. */
export function callHeaders(path, ...more) {
  return Buffer.concat([
    field(':method', 'POST'), field(':scheme', 'http'), field(':path', path), field(':authority', 'localhost'),
    field('content-type', 'application/grpc'), field('te', 'trailers'), ...more,
  ]);
}

/** Opens a call. */
export const open = (stream, path, ...more) => frame(types.headers, endHeaders, stream, callHeaders(path, ...more));

/** A message with its prefix; `claimed` is the length that it says it has. */
export function message(body, { compressed = 0, claimed = body.length } = {}) {
  return Buffer.concat([Buffer.from([compressed]), uint32(claimed), body]);
}

function varint(value) {
  return value < 128 ? [value] : [value & 127 | 128, ...varint(value >>> 7)];
}

/** A field of a protobuf message that is bytes, a text or a message. */
export const bytesField = (number, bytes) => Buffer.concat([Buffer.from([number << 3 | 2, ...varint(bytes.length)]), Buffer.from(bytes)]);

/** A call as a frame of a session. */
export function callFrame(call, path, request = Buffer.alloc(0)) {
  return bytesField(1, bytesField(1, Buffer.concat([Buffer.from([1 << 3, ...varint(call)]), bytesField(2, path), bytesField(3, request)])));
}

/** Frames that carry bytes, as large as they may be. */
export function dataFrames(stream, bytes, { end = false } = {}) {
  const frames = [];
  for (let at = 0; at < bytes.length; at += 16_384) {
    const part = bytes.subarray(at, at + 16_384);
    frames.push(frame(types.data, end && at + part.length >= bytes.length ? endStream : 0, stream, part));
  }
  return Buffer.concat(frames);
}

/**
 * Reads frames as they come.
 *
 * @param told what of them is wanted: `data`, `ended` (a stream), `reset`, `goaway` (with its code and words)
 * @returns takes the next bytes
 */
export function readFrames(told) {
  let rest = Buffer.alloc(0);
  return (bytes) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const [payload, type, flags] = [rest.subarray(9, 9 + rest.readUIntBE(0, 3)), rest[3], rest[4]];
      rest = rest.subarray(9 + payload.length);
      if (type === types.data) told.data();
      if (type === types.reset) told.reset();
      if ((type === types.data || type === types.headers) && (flags & endStream) !== 0) told.ended();
      if (type === types.goaway) told.goaway(`${payload.readUInt32BE(4)} ${payload.subarray(8).toString()}`.trim());
    }
  };
}

/** Where a vnet URI leads. */
export function placeOf(uri) {
  const { protocol, hostname, port, searchParams } = new URL(uri);
  if (protocol === 'vnet+unix:') return { path: searchParams.get('socket') };
  return { host: hostname, port: Number(port), pki: protocol === 'vnet+tls:' ? searchParams.get('pkipath') : undefined };
}

/** The address that attacks by a network come from: not the one of others on this machine. */
const localAddress = '127.0.0.66';

/** A socket to that place; what is said in it is HTTP/2. `raw` leaves TLS out. */
export function openSocket(place, { raw = false } = {}) {
  const { pki } = place;
  const read = (name) => readFileSync(join(pki, name));
  const socket = pki === undefined || raw ? connect({ ...place, localAddress })
    : connectTls({ ...place, localAddress, servername: 'localhost', ca: read('ca.pem'), cert: read('client.pem'), key: read('client-key.pem'), ALPNProtocols: ['h2'] });
  socket.on('error', () => undefined);
  return socket;
}
