/** What a caller notices of sessions: nothing, until a reader stops reading, a connection breaks, or a daemon goes. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { connect, type ConnectedDriver, type ConnectOptions } from '../../client/connect.js';
import { openConnection } from '../../client/index.js';
import { createDispatch } from '../../server/dispatch.js';
import { ErrorCode } from '../../shared/errors.js';
import { EventKind, WatchNetworkEventsResponse, type NetworkDriver } from '../../shared/gen/vnet/v1/network_driver.js';
import { openFolder, startDaemon, until } from '../processes.js';
import { Gate, openSessionServer, rootOf, type SessionServer } from '../session-server.js';

const network = { name: "Mike's lab", uuid: 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a00a' };
const endings: (() => unknown)[] = [];
afterEach(async () => { for (const end of endings.splice(0).reverse()) await end(); });

/** A driver that holds calls at a gate. */
function heldDriver(gate: Gate): Partial<NetworkDriver> {
  return {
    networkLookupByName: async () => ({ network }),
    numOfNetworks: async (_, signal) => { await gate.pass(signal); return { count: 1 }; },
    networkCreate: async (_, signal) => { await gate.pass(signal); return {}; },
  };
}

async function serve(...how: Parameters<typeof openSessionServer>): Promise<SessionServer> {
  const server = await openSessionServer(...how);
  endings.push(() => server.close());
  return server;
}

async function reach(uri: string, options: ConnectOptions = {}): Promise<ConnectedDriver> {
  const connected = await connect(uri, options);
  endings.push(() => connected.close());
  return connected;
}

describe('a reader that does not read', () => {
  it('takes what it asked for and no more; other calls of its session are served', async () => {
    let made = 0;
    const server = await serve({
      networkLookupByName: async () => ({ network }),
      async *watchNetworkEvents(_, signal) {
        for (; !signal!.aborted; made += 1) yield WatchNetworkEventsResponse.fromPartial({ kind: EventKind.UPDATED, sequence: made });
      },
    });
    const { driver } = await reach(server.uri);
    const seen: number[] = [];
    const events = driver.watchNetworkEvents({ network: undefined, kinds: [], epoch: '', after: 0 })[Symbol.asyncIterator]();
    seen.push((await events.next()).value!.sequence);
    await until('the rest', async () => made >= 64);
    for (let i = 0; i < 100; i += 1) await driver.networkLookupByName({ name: 'lab' });
    expect(made).toBe(64);
    for (let i = 0; i < 1000; i += 1) seen.push((await events.next()).value!.sequence);
    expect(seen).toEqual(Array.from({ length: 1001 }, (_, i) => i));
    expect(made).toBeLessThan(1001 + 65);
    await events.return!();
  });
});

describe.each(['session', 'unary'] as const)('%s: a connection that breaks', (transport) => {
  it('what only reads is asked again, and answered', async () => {
    const gate = new Gate();
    const server = await serve(heldDriver(gate));
    const { driver } = await reach(server.uri, { transport });
    const answers = [driver.numOfNetworks({}), driver.numOfNetworks({})];
    for (const begun of [2, 4]) {
      await until('the calls', async () => gate.begun === begun);
      for (const connection of server.connections.list()) connection.close();
    }
    await until('the calls', async () => gate.begun === 6);
    gate.open();
    await expect(Promise.all(answers)).resolves.toEqual([{ count: 1 }, { count: 1 }]);
  });

  it('what changes something ends with the news that it may have happened, and how to find out', async () => {
    const gate = new Gate();
    const server = await serve(heldDriver(gate));
    const { driver } = await reach(server.uri, { transport });
    const starting = driver.networkCreate({ network });
    await until('the call', async () => gate.begun === 1);
    for (const connection of server.connections.list()) connection.close();
    await expect(starting).rejects.toMatchObject({
      code: ErrorCode.RPC, message: expect.stringMatching(/^NetworkCreate: the answer was lost, the operation may have happened: /),
      hint: `look before you repeat it: vnet -c '${server.uri}' info 'Mike'\\''s lab'`,
    });
    expect(gate.begun).toBe(1);
    // The next is made as if nothing had been.
    gate.open();
    await expect(driver.networkCreate({ network })).resolves.toEqual({});
  });

  it('what changes something and surely never left is made when the daemon is back', async () => {
    const gate = new Gate();
    gate.open();
    const folder = await openFolder();
    endings.push(() => folder.close());
    const first = await openSessionServer(heldDriver(gate), {}, undefined, folder.path);
    const { driver } = await reach(first.uri, { transport });
    await driver.networkCreate({ network });
    await first.close();
    const starting = driver.networkCreate({ network });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(gate.begun).toBe(1);
    await serve(heldDriver(gate), {}, undefined, folder.path);
    await expect(starting).resolves.toEqual({});
    expect(gate.begun).toBe(2);
    expect(rootOf(first)).toBe(folder.path);
  });

  it('a daemon that does not come back is an error within the time the call may take', async () => {
    const gate = new Gate();
    gate.open();
    const server = await serve(heldDriver(gate));
    const { driver } = await reach(server.uri, { transport, timeoutMs: 600 });
    await driver.numOfNetworks({});
    await server.stop();
    const began = performance.now();
    const changing = expect(driver.networkCreate({ network })).rejects.toMatchObject({ code: expect.toSatisfy((code) => code === ErrorCode.RPC || code === ErrorCode.OPERATION_TIMEOUT) });
    await expect(driver.numOfNetworks({})).rejects.toMatchObject({ code: ErrorCode.RPC, hint: expect.stringContaining('is vnetd running') });
    await changing;
    expect(performance.now() - began).toBeLessThan(2000);
  });
});

describe('a daemon that stops', () => {
  it('finishes what it has begun, and a client goes on with the next', async () => {
    const gate = new Gate();
    const folder = await openFolder();
    endings.push(() => folder.close());
    const first = await openSessionServer(heldDriver(gate), {}, undefined, folder.path);
    const { driver } = await reach(first.uri);
    const starting = driver.networkCreate({ network });
    await until('the call', async () => gate.begun === 1);
    const stopped = first.stop();
    const later = driver.networkLookupByName({ name: 'lab' });
    gate.open();
    await expect(starting).resolves.toEqual({});
    await stopped;
    await serve(heldDriver(gate), {}, undefined, folder.path);
    await expect(later).resolves.toEqual({ network });
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('by %s: eight callers that only read notice nothing but the time it takes; a watch goes on', async (signal) => {
    const folder = await openFolder();
    endings.push(() => folder.close());
    const argv = ['--root', folder.path, '--driver', 'test'];
    const first = await startDaemon(argv);
    endings.push(() => first.stop());
    const connection = await openConnection(first.uris['unix']!);
    endings.push(() => connection.close());
    const kinds: EventKind[] = [];
    const watching = (async () => { for await (const { kind } of connection.watch()) kinds.push(kind); })();
    let calls = 0;
    let over = false;
    const callers = Array.from({ length: 8 }, async () => {
      for (; !over; calls += 1) await connection.driver.networkLookupByName({ name: 'default' });
    });
    await until('calls and a watch', async () => calls > 100 && kinds.length === 1);
    await first.stop(signal);
    const before = calls;
    const second = await startDaemon(argv);
    endings.push(() => second.stop());
    await until('calls again', async () => calls > before + 100, 20_000);
    over = true;
    await Promise.all(callers);
    await until('the watch', async () => kinds.includes(EventKind.RESYNC));
    await connection.close();
    await watching;
  }, 60_000);
});

describe('a server without sessions', () => {
  const bare = () => serve(heldDriver(new Gate()), {}, (calls, connections) => (server) => {
    const { definition, implementation } = createDispatch(calls, connections);
    server.addService(definition, implementation);
  });

  it('is called one by one', async () => {
    const { driver } = await reach((await bare()).uri);
    for (let i = 0; i < 3; i += 1) await expect(driver.networkLookupByName({ name: 'lab' })).resolves.toEqual({ network });
  });

  it('is refused by a client that insists', async () => {
    await expect(connect(`${(await bare()).uri}&transport=session`)).rejects.toMatchObject({ code: ErrorCode.NO_SUPPORT });
  });
});

describe('a caller', () => {
  it('gives up: the driver hears of it, and the session goes on', async () => {
    const gate = new Gate();
    const { driver } = await reach((await serve(heldDriver(gate))).uri);
    const end = new AbortController();
    const call = driver.numOfNetworks({}, end.signal);
    await until('the call', async () => gate.begun === 1);
    end.abort();
    await expect(call).rejects.toMatchObject({ code: ErrorCode.OPERATION_ABORTED });
    await until('the driver', async () => gate.givenUp === 1);
    await expect(driver.networkLookupByName({ name: 'lab' })).resolves.toEqual({ network });
  });

  it('has waited long enough: the driver hears of it, and the session goes on', async () => {
    const gate = new Gate();
    const { driver } = await reach((await serve(heldDriver(gate))).uri, { timeoutMs: 200 });
    await expect(driver.networkCreate({ network })).rejects.toMatchObject({ code: ErrorCode.OPERATION_TIMEOUT });
    await until('the driver', async () => gate.givenUp === 1);
    await expect(driver.networkLookupByName({ name: 'lab' })).resolves.toEqual({ network });
  });

  it.each([Infinity, 20_000.5])('has %d ms, which is no whole number that fits: it is served', async (timeoutMs) => {
    const { driver } = await reach((await serve(heldDriver(new Gate()))).uri, { timeoutMs });
    await expect(driver.networkLookupByName({ name: 'lab' })).resolves.toEqual({ network });
  });

  it('that lets go ends its watch, and waits for the call it has made', async () => {
    const gate = new Gate();
    const server = await serve({ ...heldDriver(gate), async *watchNetworkEvents(_, signal) { await gate.pass(signal); yield WatchNetworkEventsResponse.fromPartial({}); } });
    const { driver, close } = await connect(server.uri);
    const call = driver.networkCreate({ network });
    const event = driver.watchNetworkEvents({ network: undefined, kinds: [], epoch: '', after: 0 })[Symbol.asyncIterator]().next();
    await until('both', async () => gate.begun === 2);
    await close();
    await expect(event).rejects.toMatchObject({ code: ErrorCode.OPERATION_ABORTED });
    gate.open();
    await expect(call).resolves.toEqual({});
    await until('the connection', async () => server.connections.list().length === 0);
  });
});

describe('a silent peer', () => {
  it('a daemon that was stopped is noticed', async () => {
    const folder = await openFolder();
    const daemon = await startDaemon(['--root', folder.path, '--driver', 'test']);
    endings.push(() => folder.close(), () => { daemon.process.kill('SIGCONT'); return daemon.stop(); });
    const { driver } = await reach(daemon.uris['unix']!, { keepaliveMs: 400, timeoutMs: 60_000 });
    daemon.process.kill('SIGSTOP');
    const began = performance.now();
    await expect(driver.networkCreate({ network: { name: 'private', uuid: '' } })).rejects.toMatchObject({ code: ErrorCode.RPC, message: expect.stringContaining('the answer was lost') });
    expect(performance.now() - began).toBeLessThan(3000);
    // What only reads is answered when the daemon is back.
    const count = driver.numOfNetworks({});
    daemon.process.kill('SIGCONT');
    expect((await count).count).toBeGreaterThan(0);
  });

  it('a client that was stopped is disconnected, and goes on when it is back', async () => {
    let watchers = 0;
    const server = await serve({
      async *watchNetworkEvents(_, signal) {
        watchers += 1;
        yield WatchNetworkEventsResponse.fromPartial({ kind: EventKind.SUBSCRIBED, epoch: 'e', sequence: 1 });
        await new Promise((resolve) => signal!.addEventListener('abort', resolve));
        watchers -= 1;
      },
    }, { pingAfterMs: 400, answerWithinMs: 200 });
    const client = spawn(process.execPath, [join(import.meta.dirname, 'session-client.mjs'), server.uri], { stdio: ['ignore', 'ignore', 'inherit'] });
    endings.push(() => client.kill('SIGKILL'));
    await until('the client', async () => watchers === 1);
    // As long as it answers it may be idle.
    const [connection] = server.connections.list();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(server.connections.list()).toEqual([connection]);
    client.kill('SIGSTOP');
    await until('its end', async () => server.connections.list().length === 0 && watchers === 0, 3000);
    client.kill('SIGCONT');
    await until('its return', async () => watchers === 1);
  });
});
