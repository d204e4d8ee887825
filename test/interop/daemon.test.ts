/**
 * vnetd as a process, seen from outside: who is let in, what is refused, how it
 * starts and ends.
 */
import { execFile, spawn } from 'node:child_process';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../client/connect.js';
import { ErrorCode } from '../../shared/errors.js';
import { NetworkDriverDefinition } from '../../shared/gen/vnet/v1/network_driver.js';
import { makeCertificates } from '../certificates.js';
import { dist, openFolder, startDaemon, until } from '../processes.js';
import { openServing, type Serving } from '../serving.js';

const run = promisify(execFile);

/** A stand-in for systemd: prints every message that comes to its socket. */
const listen = `
import socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
print('listening')
while True: print(server.recv(4096).decode())
`;
const notify = await run('systemd-notify', ['--version']).then(() => run('python3', ['-V'])).then(() => true, () => false);
let serving: Serving;
beforeAll(async () => { serving = await openServing('test'); });
afterAll(() => serving?.close());

describe('the read-only socket', () => {
  it('T20: refuses every changing call, and answers the others', async () => {
    const { driver, close } = await connect(serving.uris.readonly);
    const calls: Record<string, unknown> = { networkLookupByName: { name: 'default' } };
    for (const [key, { name, options, requestType, responseStream }] of Object.entries(NetworkDriverDefinition.methods)) {
      const called = driver[key as keyof typeof driver] as (request: unknown) => Promise<unknown> & AsyncIterable<unknown>;
      // Of a stream the first message is the answer.
      const method = async (request: unknown) => (responseStream ? called(request)[Symbol.asyncIterator]().next() : called(request));
      const network = { name: 'default', uuid: '' };
      const request = calls[key] ?? (requestType as { fromPartial(part: object): unknown }).fromPartial({ network, xml: '<network/>', uuid: 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a001' });
      const outcome = await method(request).then(() => ({}), (error: { code: number; message: string }) => error);
      const reads = (options as { idempotencyLevel?: string }).idempotencyLevel === 'NO_SIDE_EFFECTS';
      // What it may be asked it is asked, whatever comes of such a request.
      expect({ name, outcome }).toEqual(reads ? { name, outcome: expect.not.objectContaining({ code: ErrorCode.OPERATION_DENIED }) }
        : { name, outcome: expect.objectContaining({ code: ErrorCode.OPERATION_DENIED, message: `operation forbidden: read only access prevents ${name}` }) });
    }
    await close();
  });

  it('T7, T20: refuses before it reads the request', async () => {
    const client = new Client(`unix:${join(serving.root, 'run/vnet/vnet-ro.sock')}`, credentials.createInsecure());
    const bytes = (value: Buffer) => value;
    const error = await new Promise<{ code: number }>((resolve) => {
      client.makeUnaryRequest('/vnet.v1.NetworkDriver/NetworkDefineXml', bytes, bytes, Buffer.from([0xff, 0xff, 0xff]), (reason) => resolve(reason!));
    });
    client.close();
    expect(error.code).toBe(7);
  });

  it('is what a read-only connection uses, and the client refuses by itself too', async () => {
    const { driver, close } = await connect('test:///default', { readonly: true });
    await expect(driver.networkCreate({ network: { name: 'private', uuid: '' } })).rejects.toMatchObject({
      code: ErrorCode.OPERATION_DENIED, message: 'operation forbidden: read only access prevents NetworkCreate',
    });
    await expect(driver.numOfNetworks({})).resolves.toEqual({ count: 1 });
    await close();
  });
});

describe('sockets', () => {
  it('T23: have the modes that say who may speak', async () => {
    const mode = async (name: string) => ((await stat(join(serving.root, 'run/vnet', name))).mode & 0o777).toString(8);
    expect(await mode('vnet.sock')).toBe('660');
    expect(await mode('vnet-ro.sock')).toBe('666');
    expect(await mode('')).toBe('755');
    const before = await stat(join(serving.root, 'run/vnet/vnet.sock'));
    const from = serving.daemon.log.length;
    serving.daemon.process.kill('SIGHUP');
    await until('a reload', async () => serving.daemon.log.slice(from).some(({ msg }) => msg === 'read again'));
    const after = await stat(join(serving.root, 'run/vnet/vnet.sock'));
    expect([after.mode, after.uid, after.gid, after.ino]).toEqual([before.mode, before.uid, before.gid, before.ino]);
  });
});

describe('TLS', () => {
  const tls = () => new URL(serving.uris.tls);
  const uri = (pki: string, host = tls().hostname) => `vnet+tls://${host}:${tls().port}/system?pkipath=${pki}`;

  it('lets in a client whose certificate the CA signed', async () => {
    const { driver, close } = await connect(uri(serving.pki));
    expect((await driver.open({ driver: '' })).driver).toBe('test');
    await close();
  });

  it('T16: refuses a client of another CA, one without certificate, and plain TCP', async () => {
    const other = await openFolder();
    await makeCertificates(other.path, { client: { subject: '/CN=client' } });
    const mixed = `vnet+tls://127.0.0.1:${tls().port}/system?ca=${serving.pki}/ca.pem&cert=${other.path}/client.pem&key=${other.path}/client-key.pem`;
    await expect(connect(mixed)).rejects.toMatchObject({ code: ErrorCode.AUTH_FAILED, hint: expect.stringMatching(/log says why/) });
    await expect(connect(`vnet+tcp://127.0.0.1:${tls().port}/system`)).rejects.toMatchObject({ code: ErrorCode.RPC });
    const { stdout } = await run('sh', ['-c', `echo | openssl s_client -connect 127.0.0.1:${tls().port} -alpn h2 -tls1_3 -ign_eof 2>&1 || true`], { timeout: 5000 }).catch((error: { stdout: string }) => error);
    expect(stdout).toMatch(/vnetd lets nobody in here like this: it shows no certificate/);
    await other.close();
  });

  it('T19: is refused by a client that does not trust the server or finds another name', async () => {
    const other = await openFolder();
    await makeCertificates(other.path, { client: { subject: '/CN=client' } });
    await expect(connect(uri(other.path))).rejects.toMatchObject({ code: ErrorCode.RPC, message: expect.stringMatching(/certificate/), hint: expect.stringMatching(/CA/) });
    // The server is reached by these, but its certificate is not for them.
    for (const host of ['0.0.0.0', '[::ffff:127.0.0.1]']) {
      await expect(connect(uri(serving.pki, host)), host).rejects.toMatchObject({ code: ErrorCode.RPC, message: expect.stringMatching(/certificate/), hint: expect.stringMatching(/\S/) });
    }
    await expect(connect(uri('/nonexistent'))).rejects.toMatchObject({ code: ErrorCode.AUTH_FAILED, message: expect.stringMatching(/cannot read TLS file \/nonexistent\/[a-z-]+\.pem/) });
    await other.close();
  });
});

describe('a client', () => {
  it('says within a second that nobody listens', async () => {
    for (const [uri, words] of [
      ['vnet+unix:///system?socket=/nonexistent/vnet.sock', /^Failed to connect socket to '\/nonexistent\/vnet\.sock': No such file or directory$/],
      ['vnet+tcp://127.0.0.1:1/system', /^unable to connect to server at '127\.0\.0\.1:1': Connection refused$/],
    ] as const) {
      const started = performance.now();
      await expect(connect(uri)).rejects.toMatchObject({ code: ErrorCode.RPC, message: expect.stringMatching(words), hint: expect.stringMatching(/vnetd/) });
      expect(performance.now() - started).toBeLessThan(1000);
    }
  });

  it('gives up on a server that accepts and says nothing', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as { port: number };
    await expect(connect(`vnet+tcp://127.0.0.1:${port}/system`, { timeoutMs: 500 })).rejects.toMatchObject({ code: ErrorCode.OPERATION_TIMEOUT });
    silent.close();
  });

  it('gives a call up when its caller does', async () => {
    const { driver, close } = await connect(serving.uris.unix);
    await expect(driver.numOfNetworks({}, AbortSignal.abort())).rejects.toMatchObject({ code: ErrorCode.OPERATION_ABORTED });
    await close();
  });
});

describe('the daemon', () => {
  it('F26: ends cleanly on SIGTERM and leaves no socket', async () => {
    const folder = await openFolder();
    const daemon = await startDaemon(['--root', folder.path, '--driver', 'test']);
    const { close } = await connect(daemon.uris['unix']!);
    expect(await daemon.stop()).toBe(0);
    await close();
    expect(await readdir(join(folder.path, 'run/vnet'))).toEqual([]);
    await folder.close();
  });

  it('starts again after it was killed', async () => {
    const folder = await openFolder();
    const first = await startDaemon(['--root', folder.path, '--driver', 'test']);
    await first.stop('SIGKILL');
    const second = await startDaemon(['--root', folder.path, '--driver', 'test']);
    expect(await second.stop()).toBe(0);
    await folder.close();
  });

  it.skipIf(!notify)('tells systemd that it is ready, and that it stops', async () => {
    const folder = await openFolder();
    const socket = join(folder.path, 'notify');
    const listener = spawn('python3', ['-u', '-c', listen, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    let heard = '';
    listener.stdout.setEncoding('utf8').on('data', (text: string) => { heard += text; });
    await until('the listener', async () => heard.includes('listening'));
    process.env['NOTIFY_SOCKET'] = socket;
    try {
      const daemon = await startDaemon(['--root', folder.path, '--driver', 'test']);
      await until('READY=1', async () => heard.includes('READY=1'));
      await daemon.stop();
      await until('STOPPING=1', async () => heard.includes('STOPPING=1'));
    } finally {
      delete process.env['NOTIFY_SOCKET'];
      listener.kill();
      await folder.close();
    }
  });

  it('T23: does not take a socket that another one serves, or a file that is no socket', async () => {
    await expect(startDaemon(['--root', serving.root, '--driver', 'test'])).rejects.toThrow(/is vnetd running already/);
    const folder = await openFolder();
    await run('mkdir', ['-p', join(folder.path, 'run/vnet')]);
    await writeFile(join(folder.path, 'run/vnet/vnet.sock'), 'precious');
    await expect(startDaemon(['--root', folder.path, '--driver', 'test'])).rejects.toThrow(/is no socket: it is left alone/);
    await folder.close();
  });

  it.each([
    [['--nonsense'], /--nonsense/],
    [['--driver', 'qemu'], /it must be host or test/],
    [['--config', '/nonexistent.toml'], /nonexistent\.toml/],
  ])('says what is wrong with %j and ends with 2', async (argv, words) => {
    const outcome = await run(process.execPath, [join(dist, 'bin/vnetd.js'), ...argv]).catch((error: { code: number; stderr: string }) => error);
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringMatching(words) });
  });
});
