/**
 * Lives here: every attack: what one connection of it sends. Does not know: how
 * many there are, what becomes of them.
 *
 * `connections`: how many it uses. `raw`: what it says is no TLS. `take`: what
 * it does with the socket once it is there; it may write as long as
 * `line.write` says true: then the socket has room. `deaf`: it never reads.
 */
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import {
  ack, bytesField, callFrame, callHeaders, dataFrames, endStream, field, frame, message, newest, open, preface, remembered, settings, types, uint32,
} from './wire.mjs';

let bomb;

const lookup = '/vnet.v1.NetworkDriver/NetworkLookupByName';
const dump = '/vnet.v1.NetworkDriver/NetworkDumpXml';
const watch = '/vnet.v1.NetworkDriver/WatchNetworkEvents';
const count = '/vnet.v1.NetworkDriver/NumOfNetworks';
const ask = (stream, path = lookup, request = Buffer.alloc(0)) => Buffer.concat([open(stream, path), frame(types.data, endStream, stream, message(request))]);

/** Asks for the network `large`, whose document has some hundred thousand bytes. */
const large = bytesField(1, bytesField(1, 'large'));
const askLarge = (stream) => ask(stream, dump, large);

/** Sends the same again and again, as fast as it is taken, after a call as anybody makes it. */
const flood = (each, first = Buffer.concat([preface, ask(1)])) => (line) => {
  line.write(first);
  line.pump(() => each(line));
};
const repeat = (times, each) => Buffer.concat(Array.from({ length: times }, (_, i) => each(i)));

/** Asks for what needs no request, with so many bytes in a field that nobody knows. */
const padded = (stream, bytes) => Buffer.concat([open(stream, count), dataFrames(stream, message(bytesField(15, Buffer.alloc(bytes))), { end: true })]);

/** Opens a session, and makes so many calls in one message of it. */
const session = (calls, path, request) => Buffer.concat([preface, open(1, '/vnet.v1.Session/Attach'), dataFrames(1, message(repeat(calls, (i) => callFrame(i, path, request))))]);
const reset = (stream) => Buffer.concat([ask(stream, watch), frame(types.reset, 0, stream, uint32(8))]);
const pings = (times) => repeat(times, () => frame(types.ping, 0, 0, Buffer.alloc(8)));
const strays = (times) => repeat(times, () => frame(0xbe, 0, 0, Buffer.alloc(100)));

/** Says hello, makes a call as anybody does, and then this. */
const once = (each) => (line) => line.write(Buffer.concat([preface, ask(1), each(line)]));
const steadily = (each) => (line) => {
  line.write(Buffer.concat([preface, ask(1)]));
  line.steadily(() => each(line));
};

/** A hundred messages in large pieces, none of them whole. @param pieces how many, of all */
const halfMessages = (pieces) => ({
  connections: 4,
  take: (line) => {
    line.write(Buffer.concat([preface, ask(1)]));
    const streams = Array.from({ length: 100 }, () => line.nextStream(3));
    let round = 0;
    line.write(repeat(streams.length, (i) => Buffer.concat([open(streams[i], lookup), frame(types.data, 0, streams[i], message(Buffer.alloc(0), { claimed: 1_900_000 }))])));
    line.pump(() => dataFrames(streams[round++ % streams.length], Buffer.alloc(16_384)), pieces);
  },
});

/** Attacks that do so much of something and no more: one limit stops them, and without it nothing does. */
const measured = {
  'bad-tokens': { connections: 4, take: (line) => line.write(Buffer.concat([preface, repeat(10, () => {
    const stream = line.nextStream();
    return Buffer.concat([open(stream, count, field('authorization', 'Bearer nobody-has-this')), frame(types.data, endStream, stream, message(Buffer.alloc(0)))]);
  })])) },
  idle: { connections: 10, take: once(() => Buffer.alloc(0)) },
  watches: { connections: 4, take: once((line) => repeat(50, () => ask(line.nextStream(3), watch))) },
  'large-requests': { connections: 4, take: (line) => line.write(Buffer.concat([preface, padded(1, 40_000)])) },
  'large-answers': { connections: 4, take: (line) => line.write(Buffer.concat([preface, askLarge(1)])) },
  'much-metadata': { connections: 4, take: (line) => line.write(Buffer.concat([preface, open(1, count, field('x', 'y'.repeat(8000))), frame(types.data, endStream, 1, message(Buffer.alloc(0)))])) },
  'many-fields': {
    connections: 4,
    take: (line) => line.write(Buffer.concat([preface, open(1, count, ...Array.from({ length: 100 }, (_, i) => field(`x-${i}`, 'y'))), frame(types.data, endStream, 1, message(Buffer.alloc(0)))])),
  },
  'session-calls': { connections: 4, take: (line) => line.write(session(200, count)) },
  'session-streams': { connections: 4, take: (line) => line.write(session(100, watch)) },
  // The answers do not fit the window, which is never opened.
  'session-deaf': { connections: 4, take: (line) => line.write(session(50, dump, large)) },
  // It takes no answer, and goes on asking whether the daemon is there.
  'session-stuck': {
    connections: 4,
    take: (line) => {
      line.write(session(50, dump, large));
      setInterval(() => line.write(frame(types.data, 0, 1, message(bytesField(1, bytesField(4, Buffer.alloc(0)))))), 200);
    },
  },
  'some-half-messages': halfMessages(500),
  'some-resets': { connections: 4, take: once((line) => repeat(300, () => reset(line.nextStream(3)))) },
  'steady-resets': { connections: 4, take: steadily((line) => repeat(50, () => reset(line.nextStream(3)))) },
  'some-pings': { connections: 4, take: once(() => pings(300)) },
  'steady-pings': { connections: 4, take: steadily(() => pings(50)) },
  'some-strays': { connections: 4, take: once(() => strays(2000)) },
  'steady-strays': { connections: 4, take: steadily(() => strays(200)) },
};

export const attacks = {
  ...measured,
  silent: { connections: 100, raw: true, take: () => undefined },
  'preface-only': { connections: 80, take: (line) => line.write(preface) },
  'half-hello': { connections: 80, raw: true, take: (line) => line.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])) },
  'headers-only': { connections: 20, take: (line) => line.write(Buffer.concat([preface, ask(1), open(3, lookup)])) },
  'half-request': {
    connections: 20, take: (line) => line.write(Buffer.concat([preface, ask(1), open(3, lookup), frame(types.data, 0, 3, message(Buffer.alloc(10), { claimed: 1000 }))])),
  },
  'one-byte-frames': {
    connections: 8,
    take: (line) => {
      line.write(Buffer.concat([preface, ask(1), open(3, '/vnet.v1.NetworkDriver/NetworkDefineXml'), frame(types.data, 0, 3, message(Buffer.alloc(0), { claimed: 1_000_000 }))]));
      line.pump(() => repeat(1000, () => frame(types.data, 0, 3, Buffer.from('x'))));
    },
  },
  'rapid-reset': {
    connections: 4,
    take: flood((line) => repeat(100, () => {
      const stream = line.nextStream(3);
      return Buffer.concat([ask(stream, watch), frame(types.reset, 0, stream, uint32(8))]);
    })),
  },
  ping: { connections: 4, take: flood(() => repeat(100, () => frame(types.ping, 0, 0, Buffer.alloc(8)))) },
  'ping-deaf': { connections: 4, deaf: true, take: flood(() => repeat(100, () => frame(types.ping, 0, 0, Buffer.alloc(8)))) },
  settings: { connections: 4, take: flood(() => repeat(100, (i) => settings({ 4: 65_536 + i }))) },
  continuation: {
    connections: 4,
    take: (line) => {
      line.write(Buffer.concat([preface, ask(1), frame(types.headers, 0, 3, callHeaders(lookup))]));
      line.pump(() => repeat(10, () => frame(types.continuation, 0, 3, field('x', 'y'.repeat(1000)))));
    },
  },
  'empty-data': { connections: 4, take: flood(() => repeat(100, () => frame(types.data, 0, 3)), Buffer.concat([preface, ask(1), open(3, lookup)])) },
  priority: { connections: 4, take: flood(() => repeat(100, () => frame(types.priority, 0, 1, Buffer.from([0, 0, 0, 0, 1])))) },
  'unknown-frames': { connections: 4, take: flood(() => repeat(100, () => frame(0xbe, 0, 0, Buffer.alloc(100)))) },
  'window-updates': { connections: 4, take: flood(() => repeat(100, () => frame(types.window, 0, 0, uint32(1)))) },
  'window-overflow': { connections: 8, take: (line) => line.write(Buffer.concat([preface, ask(1), frame(types.window, 0, 0, uint32(2 ** 31 - 1))])) },
  'header-bomb': {
    connections: 4,
    // One byte of each header makes 4,000.
    take: (line) => {
      line.write(Buffer.concat([preface, ask(1), open(3, lookup, remembered('x-bomb', 'b'.repeat(3900)))]));
      line.pump(() => repeat(10, () => open(line.nextStream(5), lookup, ...Array.from({ length: 1000 }, () => newest))));
    },
  },
  'header-bomb-acked': {
    connections: 4,
    // The same by one who has said that it knows the limits: the library keeps them.
    take: (line) => {
      line.write(Buffer.concat([preface, frame(types.settings, ack, 0), open(3, lookup, remembered('x-bomb', 'b'.repeat(3900)))]));
      line.pump(() => repeat(10, () => open(line.nextStream(5), lookup, ...Array.from({ length: 1000 }, () => newest))));
    },
  },
  'many-headers': { connections: 4, take: flood((line) => repeat(10, () => open(line.nextStream(3), lookup, ...Array.from({ length: 500 }, (_, i) => field(`x-${i}`, 'y'))))) },
  'huge-message': {
    connections: 4,
    take: flood((line) => repeat(10, () => {
      const stream = line.nextStream(3);
      return Buffer.concat([open(stream, lookup), frame(types.data, 0, stream, message(Buffer.alloc(1000), { claimed: 2 ** 32 - 1 }))]);
    })),
  },
  'gzip-bomb': {
    connections: 4,
    take: (line) => {
      bomb ??= gzipSync(Buffer.alloc(50_000_000));
      line.write(preface);
      line.write(Buffer.concat([open(1, lookup, field('grpc-encoding', 'gzip')), dataFrames(1, message(bomb, { compressed: 1 }), { end: true })]));
      // And what is no gzip at all, and half of one.
      line.write(Buffer.concat([open(3, lookup, field('grpc-encoding', 'gzip')), dataFrames(3, message(randomBytes(500), { compressed: 1 }), { end: true })]));
      line.write(Buffer.concat([open(5, lookup, field('grpc-encoding', 'gzip')), dataFrames(5, message(bomb.subarray(0, 1000), { compressed: 1 }), { end: true })]));
    },
  },
  'half-messages': halfMessages(100 * 110),
  'no-window': {
    connections: 4, deaf: true,
    // Answers without number, and no window to send them in.
    take: (line) => {
      line.write(Buffer.concat([preface, settings({ 4: 0 })]));
      line.pump(() => repeat(5, () => askLarge(line.nextStream(3))), 2);
    },
  },
  'many-answers': {
    connections: 2, deaf: true,
    take: (line) => {
      line.write(Buffer.concat([preface, settings({ 4: 2 ** 31 - 1 }), frame(types.window, 0, 0, uint32(2 ** 31 - 1 - 65_535))]));
      line.pump(() => repeat(5, () => askLarge(line.nextStream(3))), 100);
    },
  },
  'no-reading': {
    connections: 4, deaf: true,
    take: (line) => {
      line.write(Buffer.concat([preface, settings({ 4: 2 ** 31 - 1 }), frame(types.window, 0, 0, uint32(2 ** 31 - 1 - 65_535))]));
      line.pump(() => repeat(5, () => askLarge(line.nextStream(3))), 10);
    },
  },
  connections: { connections: 5000, raw: true, again: true, take: () => undefined },
  'bad-frames': { connections: 20, again: true, take: (line) => line.write(Buffer.concat([preface, randomBytes(4096)])) },
};
