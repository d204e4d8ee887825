/**
 * Who a caller is: accounts over the unix sockets, as the kernel tells, and
 * bearers of tokens; seen in the log's lines about their calls.
 */
import { execFile, spawn } from 'node:child_process';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, connect as connectSocket, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connect } from '../../client/connect.js';
import { openPeerReader } from '../../server/identity/peer-reader.js';
import { ErrorCode } from '../../shared/errors.js';
import { dist, openFolder, startDaemon, until } from '../processes.js';
import { openServing, type Serving } from '../serving.js';

const run = promisify(execFile);
const root = process.getuid?.() === 0;
const python = await run('python3', ['-V']).then(() => true, () => false);

/** A process of another account connects and passes its socket to this one, which carries it to and fro between the daemon and a client at its own door. */
const passOn = `
import array, os, socket, sys, threading
path, door = sys.argv[1:]
here, there = socket.socketpair()
if os.fork() == 0:
    os.setgroups([]); os.setgid(2); os.setuid(2)
    one = socket.socket(socket.AF_UNIX)
    one.connect(path)
    there.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [one.fileno()]))])
    os._exit(0)
_, ancillary, _, _ = here.recvmsg(1, socket.CMSG_SPACE(4))
fds = array.array('i')
fds.frombytes(ancillary[0][2][:4])
passed = socket.socket(fileno=fds[0])
listener = socket.socket(socket.AF_UNIX)
listener.bind(door)
listener.listen(1)
print('ready', flush=True)
client, _ = listener.accept()
def pump(one, other):
    while True:
        data = one.recv(65536)
        if not data: os._exit(0)
        other.sendall(data)
threading.Thread(target=pump, args=(client, passed)).start()
pump(passed, client)
`;
const vnetProgram = join(dist, 'client/cli/vnet.js');
// A machine may be busy; what must be soon says so itself.
vi.setConfig({ testTimeout: 120_000 });

let serving: Serving;
beforeAll(async () => { serving = await openServing('test', {
  tls: 'require_client_certificate = false', access: '[[allow]]\nlistener = "tls"\nrights = "all"\n[[allow]]\ntoken = "right"\nrights = "read"\n',
}); }, 60_000);
afterAll(() => serving?.close());

const calls = (from: number) => serving.daemon.log.slice(from).filter(({ msg }) => msg === 'call done' || msg === 'call failed');
/** Who made the calls of some work. */
async function callersOf(work: () => Promise<unknown>): Promise<unknown[]> {
  const from = serving.daemon.log.length;
  await work();
  await until('calls in the log', async () => calls(from).length > 0);
  return [...new Set(calls(from).map(({ who }) => who))];
}

describe('the kernel', () => {
  it('T24: tells who is at the other end, many times, and says nothing of one that has gone', async () => {
    const folder = await openFolder();
    const reader = await openPeerReader();
    const accepted: Socket[] = [];
    const path = join(folder.path, 's');
    const server = createServer({ pauseOnConnect: true }, (socket) => accepted.push(socket));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const clients = Array.from({ length: 50 }, () => connectSocket(path));
    await until('connections', async () => accepted.length === 50);
    const own = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() };
    expect(await Promise.all(accepted.map((socket) => reader.read(socket)))).toEqual(Array(50).fill(own));
    // The connection is whole after it.
    clients[0]!.write('hello');
    expect(await new Promise((resolve) => accepted[0]!.resume().once('data', (text: Buffer) => resolve(text.toString())))).toBe('hello');
    accepted[1]!.destroy();
    await expect(reader.read(accepted[1]!)).rejects.toThrow(/has ended/);
    reader.close();
    await expect(reader.read(accepted[2]!)).rejects.toThrow();
    for (const socket of [...clients, ...accepted]) socket.destroy();
    server.close();
    await folder.close();
  });
});

describe('over a unix socket', () => {
  const as = (uid: number, gid: number, ...more: string[]) => run('setpriv', ['--reuid', String(uid), '--regid', String(gid), ...more, '--',
    process.execPath, vnetProgram, '-c', serving.uris.readonly, 'list', '-o', 'name'], { env: { PATH: process.env['PATH'] } });

  it('a caller is the account of its process', async () => {
    const { uid } = await stat(serving.root);
    expect(await callersOf(async () => (await connect(serving.uris.unix)).close())).toEqual([uid === 0 ? 'root (uid 0)' : expect.stringMatching(`uid ${uid}`)]);
  });

  it.skipIf(!root)('T24: and another account another one; numbers without an account are nobody in particular', async () => {
    expect(await callersOf(() => as(1, 1, '--clear-groups'))).toEqual(['daemon (uid 1)']);
    expect(await callersOf(() => as(2, 60, '--clear-groups'))).toEqual(['bin (uid 2)']);
    expect(await callersOf(() => as(54_321, 54_321, '--clear-groups'))).toEqual(['uid 54321']);
    // What stands for accounts of other user namespaces is no account.
    expect(await callersOf(() => as(65_534, 65_534, '--clear-groups'))).toEqual(['uid 65534']);
  });

  it.skipIf(!root || !python)('T24: whoever gets a socket from another account is that account by it, though it is root itself', async () => {
    const door = join(serving.root, 'door');
    const carrier = spawn('python3', ['-c', passOn, serving.uris.readonly.replace(/^.*socket=/, ''), door], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await new Promise((resolve) => carrier.stdout.once('data', resolve));
      expect(await callersOf(async () => (await connect(`vnet+unix:///system?socket=${door}`)).close())).toEqual(['bin (uid 2)']);
    } finally {
      carrier.kill('SIGKILL');
    }
  });

  it('T24: a caller says in vain who it is', async () => {
    const claims = { uid: '0', user: 'root', 'x-user': 'root', 'x-remote-user': 'root', 'x-forwarded-for': '127.0.0.1', 'x-peer-credentials': '0:0:0', forwarded: 'for=root' };
    const [truth] = await callersOf(async () => (await connect(serving.uris.readonly)).close());
    const callers = await callersOf(() => new Promise<void>((resolve, reject) => {
      const client = new Client(`unix:${serving.uris.readonly.replace(/^.*socket=/, '')}`, credentials.createInsecure(), { 'grpc.default_authority': 'root.admin' });
      const metadata = new Metadata();
      for (const [name, value] of Object.entries(claims)) metadata.set(name, value);
      const bytes = (value: Buffer) => value;
      client.makeUnaryRequest('/vnet.v1.NetworkDriver/NumOfNetworks', bytes, bytes, Buffer.alloc(0), metadata, (error) => {
        client.close();
        if (error === null) resolve();
        else reject(error);
      });
    }));
    expect(callers).toEqual([truth]);
  });

  it('T24: nobody is let in unknown when the kernel cannot be asked, and it is asked again soon', async () => {
    const children = await readFile(`/proc/${serving.daemon.process.pid}/task/${serving.daemon.process.pid}/children`, 'utf8');
    const [perl] = (await Promise.all(children.trim().split(' ').map(async (pid) => [pid, await readFile(`/proc/${pid}/comm`, 'utf8')] as const))).find(([, name]) => name === 'perl\n') ?? [];
    process.kill(Number(perl), 'SIGKILL');
    const callers = await callersOf(() => until('a connection', async () => connect(serving.uris.unix, { timeoutMs: 2000 }).then((connected) => connected.close().then(() => true)), 15_000));
    expect(callers).toEqual([expect.stringMatching(/uid \d/)]);
  });

  it('everyone is the socket alone if that is wanted', async () => {
    const folder = await openFolder();
    const file = join(folder.path, 'c.toml');
    await writeFile(file, '[unix]\npeer_credentials = "off"\n[log]\nlevel = "debug"\n');
    const daemon = await startDaemon(['--root', folder.path, '--driver', 'test', '--config', file]);
    await (await connect(daemon.uris['unix']!)).close();
    await until('a call in the log', async () => daemon.log.some(({ who }) => who === 'unix'));
    await daemon.stop();
    await folder.close();
  });
});

describe('a token', () => {
  const token = (...argv: string[]) => run(process.execPath, [vnetProgram, 'token', ...argv, '--root', serving.root]).then(({ stdout }) => stdout, (error: { stderr: string; code: number }) => { throw new Error(error.stderr); });
  const file = (name: string) => join(serving.root, name);
  const tls = (tokenFile?: string) => `vnet+tls://127.0.0.1:${new URL(serving.uris.tls).port}/system?ca=${serving.pki}/ca.pem&cert=/nonexistent/c&key=/nonexistent/k${tokenFile === undefined ? '' : `&token-file=${tokenFile}`}`;
  const add = async (name: string, ...argv: string[]) => {
    await writeFile(file(name), await token('add', name, ...argv), { mode: 0o600 });
    await until('the token', async () => (await connect(tls(file(name)))).close().then(() => true), 5000);
  };
  /** A call with this metadata, without our client. */
  const raw = (address: string, ...authorization: string[]) => new Promise<{ code: number; details: string } | undefined>((resolve) => {
    const client = new Client(address, credentials.createInsecure());
    const metadata = new Metadata();
    for (const value of authorization) metadata.add('authorization', value);
    const bytes = (value: Buffer) => value;
    client.makeUnaryRequest('/vnet.v1.NetworkDriver/NumOfNetworks', bytes, bytes, Buffer.alloc(0), metadata, (error) => {
      client.close();
      resolve(error ?? undefined);
    });
  });

  it('lets a client without a certificate in under its name; it is kept nowhere but with its bearer', async () => {
    await add('ci');
    expect(await callersOf(async () => (await connect(tls(file('ci')))).close())).toEqual(['token ci']);
    expect(await callersOf(async () => (await connect(tls(), { tokenFile: file('ci') })).close())).toEqual(['token ci']);
    const secret = (await readFile(file('ci'), 'utf8')).trim();
    expect(secret).toMatch(/^vnet_[\w-]{43}$/);
    const kept = join(serving.root, 'etc/vnet/tokens.json');
    expect((await stat(kept)).mode & 0o777).toBe(0o600);
    expect(await readFile(kept, 'utf8')).not.toContain(secret.slice(5, 15));
    expect(JSON.stringify(serving.daemon.log)).not.toContain(secret.slice(5, 15));
    expect(await token('list')).toMatch(/ci .*never/);
    await expect(token('add', 'ci')).rejects.toThrow(/there is a token 'ci' already/);
    await expect(token('add', '../x')).rejects.toThrow(/no name for a token/);
  });

  it('is needed by a client without a certificate, and must be known', async () => {
    await expect(connect(tls())).rejects.toMatchObject({ code: ErrorCode.AUTH_FAILED });
    await add('right');
    await writeFile(file('wrong'), `vnet_${'A'.repeat(43)}\n`);
    await expect(connect(tls(file('wrong')))).rejects.toMatchObject({ code: ErrorCode.AUTH_FAILED, message: 'authentication failed: the token is not known here' });
    const [socket, address] = [`unix:${serving.root}/run/vnet/vnet.sock`, new URL(serving.uris.tcp).host];
    const good = `Bearer ${(await readFile(file('right'), 'utf8')).trim()}`;
    expect(await raw(socket, good)).toBeUndefined();
    expect(await raw(socket, `${good}x`)).toMatchObject({ code: 16 });
    expect(await raw(socket, 'Basic YTpi')).toMatchObject({ code: 16 });
    // In the clear it is refused even if it is right, and our own client does not send it.
    expect(await raw(address, good)).toMatchObject({ code: 16, details: expect.stringContaining('in the clear') });
    expect(await raw(address)).toBeUndefined();
    await expect(connect(`${serving.uris.tcp}?token-file=${file('right')}`)).rejects.toMatchObject({ code: ErrorCode.INVALID_ARG });
    await (await connect(serving.uris.tcp, { tokenFile: file('right') })).close();
  });

  it('that is none may be shown a few times, and then the connection is closed and the audit says so', async () => {
    const client = new Client(`unix:${serving.root}/run/vnet/vnet.sock`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    const metadata = new Metadata();
    metadata.set('authorization', 'Bearer nobody-has-this');
    const bytes = (value: Buffer) => value;
    const call = () => new Promise<number | undefined>((resolve) => {
      client.makeUnaryRequest('/vnet.v1.NetworkDriver/NumOfNetworks', bytes, bytes, Buffer.alloc(0), metadata, (error) => resolve(error?.code));
    });
    // Five are allowed, and the sixth still hears why.
    for (let i = 0; i < 6; i += 1) expect(await call()).toBe(16);
    const cut = await until('the record', async () => serving.daemon.log.find(({ audit, reason }) => audit === true && reason === 'limits.failed_proofs'));
    expect(cut).toMatchObject({ event: 'refused', code: 'AUTH_FAILED', listener: 'unix', connection: expect.any(Number) });
    client.close();
  });

  it('that is revoked or has expired counts no more, and ends what was opened with it within two seconds', async () => {
    await add('gone');
    await add('brief', '--expires', '20s');
    const ends = async (name: string, change: () => Promise<unknown>) => {
      const { driver, close } = await connect(tls(file(name)));
      const events = driver.watchNetworkEvents({ network: undefined, kinds: [], epoch: '', after: 0 })[Symbol.asyncIterator]();
      await events.next();
      const ended = events.next().then(() => 'went on', (error: { code: number }) => error.code);
      await change();
      const changed = performance.now();
      expect(await ended).toBe(ErrorCode.RPC);
      const took = performance.now() - changed;
      await close();
      return took;
    };
    expect(await ends('gone', () => token('revoke', 'gone'))).toBeLessThan(2000);
    await expect(connect(tls(file('gone')))).rejects.toMatchObject({ code: ErrorCode.AUTH_FAILED, message: expect.stringMatching(/not known/) });
    expect(await ends('brief', async () => undefined)).toBeLessThan(25_000);
    await expect(connect(tls(file('brief')))).rejects.toMatchObject({ code: ErrorCode.AUTH_FAILED, message: expect.stringMatching(/expired/) });
    expect(await token('list')).not.toContain('gone');
  });

  it('in a file that others may read counts no more', async () => {
    const kept = join(serving.root, 'etc/vnet/tokens.json');
    await chmod(kept, 0o644);
    await until('a line of the log', async () => serving.daemon.log.some(({ msg }) => /tokens cannot be read again: .* chmod 600/.test(String(msg))), 5000);
    await expect(token('list')).rejects.toThrow(/chmod 600/);
    await chmod(kept, 0o600);
  });
});
