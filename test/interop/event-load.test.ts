/**
 * Many events to many watchers over the unix socket: nobody misses one
 * without being told, whoever does not read costs the daemon nothing, and its
 * stop waits for none of them.
 */
import { spawn } from 'node:child_process';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, type ConnectedDriver } from '../../client/connect.js';
import { openConnection } from '../../client/connection.js';
import { ErrorCode } from '../../shared/errors.js';
import { EventKind, type WatchNetworkEventsResponse } from '../../shared/gen/vnet/v1/network_driver.js';
import { openFolder, until } from '../processes.js';

const watchers = 50;
const perSecond = 2000;
const seconds = 4;
/** How many of the watchers read too slowly, or not at all. */
const slow = 8;
const silent = 2;

/** A daemon that does as it is told. */
interface Source {
  uri: string;
  ask(action: string, rest?: object): Promise<Record<string, number>>;
  close(): Promise<void>;
}

async function openSource(root: string): Promise<Source> {
  const child = spawn(process.execPath, ['--expose-gc', new URL('event-source.mjs', import.meta.url).pathname, root], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => JSON.parse((await lines.next()).value as string) as Record<string, never>;
  const { uri } = await answer();
  return {
    uri: uri!,
    ask: (action, rest = {}) => {
      child.stdin.write(`${JSON.stringify({ action, ...rest })}\n`);
      return answer();
    },
    close: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.stdin.end();
      await ended;
    },
  };
}

/** What a watcher has seen, checked as it comes. */
class Account {
  seen = 0;
  lost = 0;
  resyncs = 0;
  last = -1;
  /** Numbers that were missing though nobody said so. */
  readonly wrong: string[] = [];

  take({ kind, sequence }: WatchNetworkEventsResponse): void {
    if (kind === EventKind.RESYNC) {
      this.resyncs += 1;
      this.lost += sequence - this.last;
    } else if (kind !== EventKind.SUBSCRIBED) {
      if (sequence !== this.last + 1) this.wrong.push(`${sequence} after ${this.last}`);
      this.seen += 1;
    }
    this.last = sequence;
  }
}

let folder: Awaited<ReturnType<typeof openFolder>>;
let source: Source;
const connections: ConnectedDriver[] = [];
beforeEach(async () => {
  folder = await openFolder();
  source = await openSource(folder.path);
});
afterEach(async () => {
  await Promise.all(connections.splice(0).map((connection) => connection.close()));
  await source.close();
  await folder.close();
});

/** Watches on a connection of its own, this long over each event. */
async function watch(pauseMs: number): Promise<Account> {
  const connection = await connect(source.uri);
  connections.push(connection);
  const account = new Account();
  void (async () => {
    for await (const event of connection.driver.watchNetworkEvents({ network: undefined, kinds: [], epoch: '', after: 0 })) {
      account.take(event);
      if (pauseMs > 0 && account.last > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
    }
  })().catch(() => undefined);
  await until('the watch', async () => account.last >= 0);
  return account;
}

describe('50 watchers and 2,000 events a second', () => {
  it('F25: nobody misses one, or is told; the daemon stays as large as it was', async () => {
    const accounts = await Promise.all(Array.from({ length: watchers }, (_, i) => watch(i < silent ? 1_000_000 : i < slow ? 20 : 0)));
    // The ring fills once; from there on nothing may grow.
    await source.ask('write', { perSecond: 2 * perSecond, seconds: 5 });
    const before = await source.ask('memory');
    const { written, tookMs } = await source.ask('write', { perSecond, seconds });
    const after = await source.ask('memory');
    const fast = accounts.slice(slow);
    await until('those that read', async () => fast.every(({ last }) => last === written), 30_000);
    for (const account of accounts) expect(account.wrong).toEqual([]);
    for (const account of accounts.slice(silent, slow)) {
      await until('a slow one', async () => account.resyncs > 0 || account.last === written, 60_000);
      expect(account.seen + account.lost).toBe(account.last);
    }
    for (const account of fast) expect(account.seen + account.lost).toBe(written);
    const got = fast.reduce((sum, { seen }) => sum + seen, 0) / (fast.length * written!);
    console.log(`${fast.length} watchers got ${(got * 100).toFixed(1)} % of ${written} events and were told of the rest (${fast.filter(({ resyncs }) => resyncs > 0).length} were); ` +
      `writing took ${Math.round(tookMs!)} ms; the daemon had ${Math.round(before['rss']! / 1e6)} MB and has ${Math.round(after['rss']! / 1e6)} MB`);
    expect(after['rss']! - before['rss']!).toBeLessThan(24e6);
  }, 120_000);

  it('the daemon stops within a second, also when some do not read, and says so to those that do', async () => {
    const [, reading] = await Promise.all([watch(1_000_000), watch(0)]);
    const connection = await connect(source.uri);
    connections.push(connection);
    const ended = (async () => { for await (const event of connection.driver.watchNetworkEvents({ network: undefined, kinds: [], epoch: '', after: 0 })) void event; })();
    const outcome = expect(ended).rejects.toMatchObject({ code: ErrorCode.RPC, message: 'vnetd is stopping' });
    await source.ask('write', { perSecond: 10_000, seconds: 1 });
    await until('the reader', async () => reading.last === 10_000);
    const { tookMs } = await source.ask('stop');
    await outcome;
    console.log(`stopped in ${Math.round(tookMs!)} ms`);
    expect(tookMs).toBeLessThan(1500);
  }, 60_000);

  it('a call to which nobody listens any more leaves no watcher: a thousand come and go, and the next is served', async () => {
    // Many streams that are given up at once look like an attack to HTTP/2: they come by several connections.
    const several = await Promise.all(Array.from({ length: 8 }, () => connect(source.uri)));
    connections.push(...several);
    let opened = 0;
    const open = () => {
      const connection = several[opened++ % several.length]!;
      const end = new AbortController();
      const events = connection.driver.watchNetworkEvents({ network: undefined, kinds: [], epoch: '', after: 0 }, end.signal)[Symbol.asyncIterator]();
      return { end, first: events.next().then(() => undefined, (error: unknown) => error) };
    };
    for (let round = 0; round < 2; round += 1) {
      const all = Array.from({ length: 1000 }, open);
      expect((await Promise.all(all.map(({ first }) => first))).filter((error) => error !== undefined)).toEqual([]);
      expect(await open().first).toMatchObject({ code: ErrorCode.RESOURCE_BUSY, message: expect.stringContaining('1000 watch events already') });
      for (const { end } of all) end.abort();
      await until('room', async () => {
        const one = open();
        const error = await one.first;
        one.end.abort();
        return error === undefined;
      });
      await until('all room', async () => (await source.ask('memory'))['rss']! > 0);
    }
  }, 60_000);
});

/** A socket that passes everything on to another, and can be cut. */
async function openCut(path: string, to: string): Promise<{ server: Server; cut(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = createConnection(to);
    for (const [one, another] of [[near, far], [far, near]] as const) {
      sockets.add(one);
      one.on('error', () => another.destroy()).on('close', () => another.destroy()).pipe(another);
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { server, cut: () => { for (const socket of sockets) socket.destroy(); sockets.clear(); } };
}

it('a connection that is cut again and again goes on by itself, and nothing is missed', async () => {
  const path = join(folder.path, 'cut.sock');
  const { server, cut } = await openCut(path, new URL(source.uri).searchParams.get('socket')!);
  const connection = await openConnection(`vnet+unix:///system?socket=${path}`);
  const account = new Account();
  const watching = (async () => { for await (const event of connection.watch()) account.take(event); })();
  await until('the watch', async () => account.last >= 0);
  const writing = source.ask('write', { perSecond: 500, seconds: 3 });
  for (let i = 0; i < 3; i += 1) {
    const { last } = account;
    await until('more events', async () => account.last > last + 100);
    cut();
  }
  const { written } = await writing;
  await until('all', async () => account.last === written);
  expect(account).toMatchObject({ wrong: [], resyncs: 0, seen: written });
  await connection.close();
  await watching;
  server.close();
}, 60_000);

it('a daemon that was started anew tells a watcher to read everything anew', async () => {
  const connection = await openConnection(source.uri);
  const kinds: EventKind[] = [];
  const watching = (async () => { for await (const { kind } of connection.watch()) kinds.push(kind); })();
  await until('the watch', async () => kinds.length > 0);
  await source.ask('stop');
  await source.close();
  source = await openSource(folder.path);
  await until('the news', async () => kinds.length > 1);
  expect(kinds).toEqual([EventKind.SUBSCRIBED, EventKind.RESYNC]);
  await source.ask('write', { perSecond: 100, seconds: 0.1 });
  await until('what follows', async () => kinds.length > 2);
  await connection.close();
  await watching;
}, 60_000);
