/** The program `vnet proxy`: bytes in both directions, each half by itself, and its ends. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { dist, openFolder, until } from '../processes.js';

const program = join(dist, 'client/cli/vnet.js');
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('vnet proxy', () => {
  let folder: Awaited<ReturnType<typeof openFolder>>;
  let server: Server | undefined;
  let child: ChildProcessWithoutNullStreams | undefined;
  let path: string;
  beforeAll(async () => {
    folder = await openFolder();
    path = join(folder.path, 'daemon.sock');
  });
  afterEach(async () => {
    child?.kill('SIGKILL');
    if (server?.listening) await new Promise((resolve) => server!.close(resolve));
  });
  afterAll(() => folder.close());

  /** A daemon that does this to each connection. */
  const listen = async (serve: (socket: Socket) => void) => {
    server = createServer({ allowHalfOpen: true }, (socket) => serve(socket.on('error', () => undefined)));
    await once(server.listen(path), 'listening');
  };
  const run = (argv: string[] = [], env: NodeJS.ProcessEnv = {}) => child = spawn(process.execPath, [program, 'proxy', '--socket', path, ...argv], { env: { ...process.env, ...env } });
  const collect = async (stream: NodeJS.ReadableStream) => {
    const parts: Buffer[] = [];
    for await (const part of stream) parts.push(part as Buffer);
    return Buffer.concat(parts);
  };
  const memoryOf = async (pid: number) => Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

  it('passes on every byte, and the end of one half while the other goes on', async () => {
    // What it heard comes back after its end was heard: that takes two halves.
    await listen((socket) => {
      const parts: Buffer[] = [];
      socket.on('data', (part: Buffer) => parts.push(part)).on('end', () => socket.end(Buffer.concat([...parts, Buffer.from(digest(Buffer.concat(parts)))])));
    });
    const sent = randomBytes(8 * 1024 * 1024);
    const proxy = run();
    proxy.stdin.end(sent);
    const back = await collect(proxy.stdout);
    expect(digest(back.subarray(0, sent.length))).toBe(digest(sent));
    expect(back.subarray(sent.length).toString()).toBe(digest(sent));
    expect(proxy.exitCode ?? (await once(proxy, 'exit'))[0]).toBe(0);
  });

  it('makes the daemon wait for a reader that does not read, and hears the other half meanwhile', async () => {
    const total = 128 * 1024 * 1024;
    let sent = 0;
    let heard = '';
    await listen((socket) => {
      const block = Buffer.alloc(64 * 1024, 'x');
      const send = () => {
        for (; sent < total; sent += block.length) if (!socket.write(block)) return void (sent += block.length);
        socket.end();
      };
      socket.on('drain', send).setEncoding('utf8').on('data', (text: string) => { heard += text; });
      send();
    });
    const proxy = run();
    await once(proxy.stdout, 'readable');
    // The flow has stopped when nothing more leaves the daemon for a while.
    let seen = { sent: -1, since: performance.now() };
    await until('the flow stops', async () => {
      if (sent !== seen.sent) seen = { sent, since: performance.now() };
      return performance.now() - seen.since > 1_000;
    });
    expect(sent).toBeLessThan(16 * 1024 * 1024);
    expect(await memoryOf(proxy.pid!)).toBeLessThan(150);
    proxy.stdin.write('still there?');
    await until('the other half passes', async () => heard === 'still there?');
    let read = 0;
    proxy.stdout.on('data', (part: Buffer) => { read += part.length; });
    // The daemon said all and ended: so does the proxy, though its input is open.
    expect((await once(proxy, 'exit'))[0]).toBe(0);
    await until('all is read', async () => read === total);
  });

  it('ends with either side', async () => {
    const ended: string[] = [];
    await listen((socket) => socket.on('end', () => { ended.push('end'); socket.end(); }).on('close', () => ended.push('close')).resume());
    const closed = run();
    closed.stdin.end();
    expect((await once(closed, 'exit'))[0]).toBe(0);
    await until('the daemon hears of it', async () => ended.includes('close'));
    ended.length = 0;
    const killed = run();
    await until('connected', async () => (await connections()) === 1);
    killed.kill('SIGKILL');
    await until('the daemon hears of it', async () => ended.includes('close'));
  });
  const connections = () => new Promise<number>((resolve, reject) => server!.getConnections((error, count) => error ? reject(error) : resolve(count)));

  it('gives up a daemon that talks to a reader who has gone', async () => {
    let open = true;
    await listen((socket) => {
      const timer = setInterval(() => socket.write('tick'), 20);
      socket.on('close', () => { clearInterval(timer); open = false; }).resume();
    });
    const proxy = run();
    await once(proxy.stdout, 'data');
    proxy.stdout.destroy();
    await once(proxy, 'exit');
    await until('the daemon hears of it', async () => !open);
  });

  it('says why there is no daemon, for people and for the ssh on the other end', async () => {
    const asText = run();
    const [words, [code]] = await Promise.all([collect(asText.stderr), once(asText, 'exit')]);
    expect({ code, words: words.toString() }).toEqual({ code: 6, words: `error: Failed to connect socket to '${path}': No such file or directory\nhint: is vnetd running there? start it with: systemctl start vnetd\n` });
    await writeFile(path, '');
    const asJson = run(['-o', 'json']);
    const [line, out, [again]] = await Promise.all([collect(asJson.stderr), collect(asJson.stdout), once(asJson, 'exit')]);
    expect({ again, out: out.toString(), error: JSON.parse(line.toString()) as unknown }).toMatchObject({ again: 6, out: '', error: { error: { code: 'RPC', message: `Failed to connect socket to '${path}': Connection refused`, hints: [expect.any(String)] } } });
    await rm(path);
  });

  it('starts without what speaks gRPC', async () => {
    const [hook, list] = [join(folder.path, 'hook.cjs'), join(folder.path, 'modules')];
    await writeFile(hook, `process.on('exit', () => require('fs').writeFileSync(${JSON.stringify(list)}, Object.keys(require.cache).join('\\n')))`);
    await once(run([], { NODE_OPTIONS: `--require=${hook}` }), 'exit');
    const loaded = await readFile(list, 'utf8');
    expect(loaded).toContain('hook.cjs');
    expect(loaded).not.toMatch(/grpc|protobuf|execa/);
  });
});
