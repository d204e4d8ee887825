/** The session from a foreign client's side, frame by frame: what session.proto promises, and what a hostile client gets. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, type ConnectedDriver } from '../../client/connect.js';
import { decodeError, detailTrailer } from '../../shared/status.js';
import { ErrorCode } from '../../shared/errors.js';
import { Status } from '../../shared/gen/google/rpc/status.js';
import { NetworkLookupByNameRequest, NetworkLookupByNameResponse, WatchNetworkEventsResponse } from '../../shared/gen/vnet/v1/network_driver.js';
import type { EndFrame } from '../../shared/gen/vnet/v1/session.js';
import { until } from '../processes.js';
import { callFrame, FrameClient, Gate, openSessionServer, type SessionServer } from '../session-server.js';

const network = { name: 'lab', uuid: 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a00a' };
const lookup = NetworkLookupByNameRequest.encode({ name: 'lab' }).finish();

let gate: Gate;
let made: number;
let server: SessionServer;
let client: FrameClient;
let honest: ConnectedDriver;

async function* events(signal?: AbortSignal): AsyncGenerator<WatchNetworkEventsResponse> {
  while (!signal?.aborted) {
    made += 1;
    yield WatchNetworkEventsResponse.fromPartial({ epoch: 'e', sequence: made, kind: 5, detail: 'x'.repeat(1000) });
    // So that it is no burden where nobody holds it up.
    if (made % 100 === 0) await new Promise(setImmediate);
  }
}

beforeEach(async () => {
  gate = new Gate();
  made = 0;
  server = await openSessionServer({
    networkLookupByName: async () => ({ network }),
    networkCreate: async (_, signal) => { await gate.pass(signal); return {}; },
    networkDumpXml: async (_, signal) => { await gate.pass(signal); return { xml: 'x'.repeat(100_000) }; },
    watchNetworkEvents: (_, signal) => events(signal),
  }, { pingAfterMs: 1000, answerWithinMs: 500, stuckMs: 1000 });
  client = new FrameClient(server.uri);
  honest = await connect(server.uri);
});
afterEach(async () => {
  client.close();
  await honest.close();
  gate.open();
  await server.close();
});

/** Somebody else is served all the while. */
async function othersAreServed(): Promise<void> {
  await expect(honest.driver.networkLookupByName({ name: 'lab' })).resolves.toEqual({ network });
}

const errorIn = ({ status }: EndFrame) => decodeError(Status.decode(status).code, Status.decode(status).message, status);

describe('a session', () => {
  it('answers what comes in its first message, several at once', async () => {
    client.send(...[1, 2, 0xffffffff, 0].map((id) => callFrame(id, 'NetworkLookupByName', lookup)));
    for (const id of [1, 2, 0xffffffff, 0]) {
      const { response } = await client.frame('response', ({ call }) => call === id);
      expect(NetworkLookupByNameResponse.decode(response)).toEqual({ network });
    }
  });

  it('uses an id again once its call has ended', async () => {
    for (let i = 1; i <= 3; i += 1) {
      client.send(callFrame(7, 'NetworkLookupByName', lookup));
      await until('an answer', async () => client.frames.length === i);
    }
  });

  it('works on 64 calls at a time, lets the next wait, and answers all', async () => {
    client.send(...Array.from({ length: 200 }, (_, id) => callFrame(id, 'NetworkCreate')));
    await until('the first', async () => gate.begun === 64);
    client.send({ ping: { number: 3 } });
    expect(await client.frame('pong')).toEqual({ number: 3 });
    expect(gate.begun).toBe(64);
    gate.open();
    await until('all', async () => client.frames.filter(({ response }) => response !== undefined).length === 200);
  });

  it('tells the driver of a call that is given up, and ends it', async () => {
    client.send(callFrame(1, 'NetworkCreate'));
    await until('the call', async () => gate.begun === 1);
    client.send({ cancel: { call: 1 } });
    await until('the driver', async () => gate.givenUp === 1);
    gate.open();
    expect(errorIn(await client.frame('end'))).toMatchObject({ code: ErrorCode.OPERATION_ABORTED });
  });

  it('ends a call that waits at once when it is given up, and never begins it', async () => {
    client.send(...Array.from({ length: 65 }, (_, id) => callFrame(id, 'NetworkCreate')), { cancel: { call: 64 } });
    expect(await client.frame('end')).toMatchObject({ call: 64, untouched: true });
    gate.open();
    await until('the rest', async () => client.frames.length === 65);
    expect(gate.begun).toBe(64);
  });

  it('keeps to the time a call may take', async () => {
    client.send(callFrame(1, 'NetworkCreate', Buffer.alloc(0), { timeoutMs: 50 }));
    const end = await client.frame('end');
    expect({ untouched: end.untouched, error: errorIn(end) }).toMatchObject({ untouched: false, error: { code: ErrorCode.OPERATION_TIMEOUT } });
    expect(gate.givenUp).toBe(1);
  });

  it('answers what is in flight when the client has said its last word, and ends well', async () => {
    client.send(callFrame(1, 'NetworkCreate'), callFrame(2, 'WatchNetworkEvents', Buffer.alloc(0), { credit: 2 }));
    await client.frame('message');
    client.stream.end();
    expect(errorIn(await client.frame('end'))).toMatchObject({ code: ErrorCode.OPERATION_ABORTED });
    gate.open();
    expect(await client.ended()).toMatchObject({ code: 0 });
    expect(client.frames.filter(({ response }) => response !== undefined)).toHaveLength(1);
  });

  it('says that the daemon stops, answers what was begun, and leaves untouched what comes later', async () => {
    client.send(...Array.from({ length: 65 }, (_, id) => callFrame(id, 'NetworkCreate')), callFrame(100, 'WatchNetworkEvents', Buffer.alloc(0), { credit: 1 }));
    await until('the calls', async () => gate.begun === 64);
    const stopped = server.stop();
    await client.frame('stopping');
    client.send(callFrame(200, 'NetworkCreate'));
    for (const [id, untouched] of [[64, true], [100, false], [200, true]] as const) {
      const end = await client.frame('end', ({ call }) => call === id);
      expect({ id, untouched: end.untouched, error: errorIn(end) }).toMatchObject({ id, untouched, error: { code: ErrorCode.RPC, message: 'vnetd is stopping' } });
    }
    gate.open();
    expect(await client.ended()).toMatchObject({ code: 0 });
    expect(client.frames.filter(({ response }) => response !== undefined)).toHaveLength(64);
    await stopped;
  });
});

describe('flow control', () => {
  const sent = (id: number) => client.frames.filter(({ message }) => message?.call === id).length;

  it('sends as many responses of a stream as the client wants, keeps none for it, and holds up no other call', async () => {
    client.send(callFrame(1, 'WatchNetworkEvents', Buffer.alloc(0), { credit: 3 }), callFrame(2, 'WatchNetworkEvents', Buffer.alloc(0), { credit: 1000 }));
    await until('those of the other', async () => sent(2) === 1000);
    client.send({ credit: { call: 1, messages: 4 } }, ...Array.from({ length: 100 }, (_, i) => callFrame(10 + i, 'NetworkLookupByName', lookup)));
    await until('the calls', async () => client.frames.filter(({ response }) => response !== undefined).length === 100);
    await until('the rest', async () => sent(1) === 7);
    // One more of each was taken to find out that nobody wants it.
    expect(made).toBe(3 + 4 + 1 + 1000 + 1);
  });

  it('makes nothing more for a client that reads nothing at all, and disconnects it', async () => {
    gate.open();
    client.stream.pause();
    const socket = server.connections.list().length;
    client.send(callFrame(0, 'WatchNetworkEvents', Buffer.alloc(0), { credit: 1_000_000 }));
    for (let i = 1; i <= 20; i += 1) client.send(...Array.from({ length: 100 }, (_, j) => callFrame(i * 100 + j, 'NetworkDumpXml')));
    await until('the first', async () => gate.begun > 0);
    await othersAreServed();
    // What the kernel and HTTP/2 hold, and the calls that were in flight then: of 200 MB 10.
    await until('its end', async () => server.connections.list().length === socket - 1);
    expect(gate.begun).toBeLessThan(128);
    expect(made).toBeGreaterThan(10);
    expect(made).toBeLessThan(2000);
    await othersAreServed();
  });
});

describe('a hostile client', () => {
  const refusal = async () => {
    const { code, metadata } = await client.ended();
    return decodeError(code, '', metadata.get(detailTrailer)[0] as Buffer);
  };
  const many = (count: number) => Buffer.alloc(2 * count, Buffer.from([0x0a, 0]));

  it.each([
    ['bytes that are no frames', () => client.sendBytes(Buffer.from([0x0a, 5, 0x0a, 0xff]))],
    ['something else than frames', () => client.sendBytes(Buffer.from([0x10, 0xff, 0xff, 0x7f, 0x0a, 0]))],
    ['text', () => client.sendBytes(Buffer.from('GET / HTTP/1.1\r\n\r\n'))],
    ['a million frames in one message', () => client.sendBytes(many(1_000_000))],
    ['one frame too many', () => client.sendBytes(many(1025))],
    ['an id twice', () => client.send(callFrame(1, 'NetworkCreate'), callFrame(1, 'NetworkLookupByName', lookup))],
    ['the id of a stream again', () => client.send(callFrame(1, 'WatchNetworkEvents'), callFrame(1, 'WatchNetworkEvents'))],
    ['too much credit at first', () => client.send(callFrame(1, 'WatchNetworkEvents', Buffer.alloc(0), { credit: 2 ** 31 }))],
    ['too much credit in all', () => client.send(callFrame(1, 'WatchNetworkEvents'), { credit: { call: 1, messages: 2 ** 31 - 1 } }, { credit: { call: 1, messages: 2 ** 31 - 1 } })],
  ])('that sends %s loses its session and nothing else', async (_, attack) => {
    client.send(callFrame(0, 'NetworkCreate'));
    await until('its call', async () => gate.begun === 1);
    attack();
    expect(await client.ended()).toMatchObject({ code: 3 });
    expect(await until('the reason', refusal)).toMatchObject({ code: ErrorCode.INVALID_ARG });
    await until('its calls', async () => gate.givenUp >= 1);
    await othersAreServed();
  });

  it('is told that there is no such method, and that a request is malformed, and goes on', async () => {
    client.send({ call: { call: 1, method: '/vnet.v1.Session/Attach', request: Buffer.alloc(0), timeoutMs: 0, credit: 0 } }, callFrame(2, 'NetworkLookupByName', Buffer.from([0xff])));
    expect(errorIn(await client.frame('end', ({ call }) => call === 1))).toMatchObject({ code: ErrorCode.NO_SUPPORT });
    expect(errorIn(await client.frame('end', ({ call }) => call === 2))).toMatchObject({ code: ErrorCode.INVALID_ARG });
    client.send({}, { cancel: { call: 99 } }, { credit: { call: 99, messages: 2 ** 32 - 1 } }, { pong: { number: 5 } }, callFrame(3, 'NetworkLookupByName', lookup));
    await client.frame('response', ({ call }) => call === 3);
  });

  it('that is cut off while its calls wait harms nobody', async () => {
    const others = server.connections.list();
    const one = new FrameClient(server.uri);
    one.send(...Array.from({ length: 300 }, (_, id) => callFrame(id, 'NetworkCreate')));
    await until('its calls', async () => gate.begun === 64);
    for (const connection of server.connections.list()) if (!others.includes(connection)) connection.close();
    gate.open();
    await until('its end', async () => server.connections.list().every((connection) => others.includes(connection) && connection.inFlight === 0));
    await othersAreServed();
    one.close();
  });

  it('has 256 streams at most', async () => {
    client.send(...Array.from({ length: 257 }, (_, id) => callFrame(id, 'WatchNetworkEvents')));
    const end = await client.frame('end');
    expect({ call: end.call, error: errorIn(end) }).toMatchObject({ call: 256, error: { code: ErrorCode.RESOURCE_BUSY } });
  });

  it('that comes and goes with calls in flight leaves nothing', async () => {
    for (let i = 0; i < 20; i += 1) {
      const one = new FrameClient(server.uri);
      one.send(callFrame(1, 'NetworkCreate'), callFrame(2, 'WatchNetworkEvents', Buffer.alloc(0), { credit: 1 }));
      await one.frame('message');
      one.close();
    }
    await until('the driver', async () => gate.givenUp === 20);
    gate.open();
    await until('the connections', async () => server.connections.list().every(({ inFlight }) => inFlight === 0) && server.connections.list().length === 2);
  });
});
