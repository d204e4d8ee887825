/** `vnet doctor -c URI` against real sockets, each with one thing wrong. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createSecureServer } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createServer as createTls, type TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { connect } from '../../client/connect.js';
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { freePort } from '../sshd.js';
import { dist, openFolder, startDaemon, until, type Daemon } from '../processes.js';
import { writeAccess } from '../serving.js';
import { runVnet } from '../unit/cli/run-vnet.js';

interface Found { severity: string; check: string; message: string; advice: string | null }

/** What the doctor finds at a URI, but that no daemon answers, by the name of the check; what is fine under `ok`. */
async function doctor(uri: string, refusal?: Error): Promise<{ code: number; bad: Record<string, Found>; ok: string[]; out: string }> {
  const { code, out, err } = await runVnet(['-c', uri, 'doctor', '-o', 'json'], refusal === undefined ? { connect } : { refusal });
  expect(err).toBe('');
  const all = JSON.parse(out) as Found[];
  const bad = all.filter(({ check, severity }) => severity !== 'ok' && check !== 'daemon');
  for (const { severity, advice } of bad) if (severity === 'error') expect(advice).toBeTruthy();
  return { code, bad: Object.fromEntries(bad.map((found) => [found.check, found])), ok: all.filter(({ severity }) => severity === 'ok').map(({ check }) => check), out };
}

const available = spawnSync('openssl', ['version']).status === 0;

describe.skipIf(!available)('over TLS', () => {
  let folder: Awaited<ReturnType<typeof openFolder>>;
  const servers: { close(): unknown }[] = [];
  const programs: ChildProcess[] = [];
  beforeAll(async () => {
    folder = await openFolder();
    for (const authority of ['ours', 'theirs']) await pki(authority, 'init', '--name', `${authority} CA`);
    await pki('ours', 'issue', 'server', 'localhost', '--san', '127.0.0.1');
    await pki('ours', 'issue', 'server', 'elsewhere.example.org');
    await pki('theirs', 'issue', 'server', 'localhost', '--san', '127.0.0.1');
    for (const authority of ['ours', 'theirs']) await pki(authority, 'issue', 'client', 'alice');
    await pki('namesake', 'init', '--name', 'ours CA');
    await pki('namesake', 'issue', 'server', 'localhost', '--san', '127.0.0.1');
  });
  afterEach(() => {
    vi.useRealTimers();
    for (const server of servers.splice(0)) server.close();
    for (const program of programs.splice(0)) program.kill();
  });
  afterAll(() => folder.close());
  const at = (...names: string[]) => join(folder.path, ...names);
  const pki = async (authority: string, ...argv: string[]) => expect(await runVnet(['pki', '--dir', at(authority), ...argv])).toMatchObject({ code: 0 });
  /** The same at another time. */
  const pkiAt = async (date: string, ...argv: [string, ...string[]]) => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date(date) });
    await pki(...argv);
    vi.useRealTimers();
  };
  const pair = async (where: string, kind = 'server') => ({ cert: await readFile(at(where, `${kind}.pem`)), key: await readFile(at(where, `${kind}-key.pem`)) });
  const portOf = async (server: Server) => {
    servers.push(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return (server.address() as { port: number }).port;
  };
  /** An HTTP/2 server that shows a certificate. */
  const serve = async (where: string, options: TlsOptions = {}) => portOf(createSecureServer({ ...await pair(where), ...options }).on('stream', (stream) => { stream.respond({ ':status': 404 }); stream.end(); }).on('sessionError', () => undefined).on('tlsClientError', () => undefined));
  const uri = (port: number, where = 'ours/clients/alice', host = '127.0.0.1') => `vnet+tls://${host}:${port}/system?pkipath=${at(where)}`;

  describe('with a daemon', () => {
    let daemon: Daemon;
    beforeAll(async () => {
      const [root, server] = [at('root'), at('ours/servers/localhost')];
      await mkdir(join(root, 'etc/vnet'), { recursive: true });
      await writeFile(join(root, 'etc/vnet/vnetd.toml'), `[tls]\nenabled = true\nport = 0\ncertificate = "${server}/server.pem"\nkey = "${server}/server-key.pem"\nca = "${server}/ca.pem"\n[tcp]\nenabled = true\nport = 0\n`);
      await writeAccess(root);
      daemon = await startDaemon(['--root', root, '--driver', 'test']);
    });
    afterAll(() => daemon?.stop());
    const port = () => Number(new URL(daemon.uris['tls']!).port);

    it('finds nothing wrong with a connection that works', async () => {
      expect(await doctor(uri(port()))).toMatchObject({ code: 0, bad: {}, ok: expect.arrayContaining(['tls-certificate', 'tls']) });
    });

    it('says that the daemon does not take a certificate', async () => {
      await pki('theirs', 'issue', 'client', 'mallory');
      await writeFile(at('theirs/clients/mallory/ca.pem'), await readFile(at('ours/ca.pem')));
      const { code, bad } = await doctor(uri(port(), 'theirs/clients/mallory'));
      expect(code).toBe(1);
      expect(bad['tls-authorization']?.message).toMatch(/closed the connection when it had seen the certificate of 'mallory'|refuses the certificate of 'mallory'/);
      expect(bad['tls-client-certificate']).toMatchObject({ severity: 'warning', message: expect.stringMatching(/signed by 'theirs CA', not by the 'ours CA'/) });
    });

    it('says that the daemon wants a certificate', async () => {
      await mkdir(at('bare'), { recursive: true });
      await writeFile(at('bare/ca.pem'), await readFile(at('ours/ca.pem')));
      const { bad } = await doctor(uri(port(), 'bare'));
      expect(bad['tls-files']?.message).toMatch(/client-key\.pem cannot be read: there is no such file/);
      expect(bad['tls-authorization']?.message).toMatch(/wants a client certificate/);
    });

    it('says that a port is the one without TLS, and the other way round', async () => {
      const plain = Number(new URL(daemon.uris['tcp']!).port);
      expect((await doctor(uri(plain))).bad['tls']).toMatchObject({ message: expect.stringContaining('without TLS'), advice: expect.stringContaining(`vnet+tcp://127.0.0.1:${plain}/system`) });
      expect((await doctor(`vnet+tcp://127.0.0.1:${port()}/system`)).bad['protocol']).toMatchObject({ advice: expect.stringContaining('vnet+tls') });
    });
  });

  it('says which names a certificate is for', async () => {
    const port = await serve('ours/servers/elsewhere.example.org');
    const { code, bad } = await doctor(uri(port));
    expect(code).toBe(1);
    expect(bad).toEqual({ 'tls-name': expect.objectContaining({ severity: 'error', message: "the daemon's certificate is not for '127.0.0.1' but for DNS:elsewhere.example.org", advice: expect.stringContaining(`vnet+tls://elsewhere.example.org:${port}/system`) }) });
  });

  it('F19: says that a certificate has expired, or is not valid yet, and suspects the clock', async () => {
    await pkiAt('2020-01-01', 'old', 'init', '--days', '7000', '--name', 'old CA');
    for (const [when, name] of [['2021-01-01', 'past'], ['2036-01-01', 'future']] as const) {
      await pkiAt(when, 'old', 'issue', 'server', name, '--san', '127.0.0.1', '--days', '30');
      await pkiAt(when, 'old', 'issue', 'client', name, '--days', '30');
    }
    await pki('old', 'issue', 'server', 'now', '--san', '127.0.0.1', '--days', '10');
    await pki('old', 'issue', 'client', 'now');
    const past = await doctor(uri(await serve('old/servers/past'), 'old/clients/now'));
    expect(past.bad).toEqual({ 'tls-certificate': expect.objectContaining({ message: expect.stringMatching(/\(past\) expired on 2021-01-31.*this machine's clock says 20/), advice: expect.stringMatching(/vnet pki issue server 'past' --force.*timedatectl/) }) });
    const future = await doctor(uri(await serve('old/servers/future'), 'old/clients/now'));
    expect(future.bad).toEqual({ 'tls-certificate': expect.objectContaining({ message: expect.stringContaining('only from 2035-12-31T23:00Z'), advice: expect.stringContaining('a clock is wrong') }) });
    const port = await serve('old/servers/now');
    expect((await doctor(uri(port, 'old/clients/past'))).bad['tls-client-certificate']).toMatchObject({ severity: 'error', message: expect.stringContaining('client.pem expired on 2021-01-31') });
    expect((await doctor(uri(port, 'old/clients/future'))).bad['tls-client-certificate']).toMatchObject({ severity: 'error', message: expect.stringContaining('holds only from 2035') });
    expect((await doctor(uri(port, 'old/clients/now'))).bad['tls-certificate']).toMatchObject({ severity: 'warning', message: expect.stringContaining('ends in 9 days') });
  });

  it('says that a CA is not known, is another of that name, or has expired', async () => {
    expect((await doctor(uri(await serve('theirs/servers/localhost')))).bad).toEqual({ 'tls-ca': expect.objectContaining({ message: expect.stringMatching(/signed by 'theirs CA', which .*ca\.pem \('ours CA'\) does not know/), advice: expect.stringContaining('ca.pem') }) });
    expect((await doctor(uri(await serve('namesake/servers/localhost')))).bad).toEqual({ 'tls-ca': expect.objectContaining({ message: expect.stringMatching(/another CA of that name/) }) });
    await pkiAt('2020-01-01', 'ended', 'init', '--days', '100', '--name', 'ended CA');
    await pkiAt('2020-01-02', 'ended', 'issue', 'server', 'localhost', '--san', '127.0.0.1');
    await pkiAt('2020-01-02', 'ended', 'issue', 'client', 'alice');
    expect((await doctor(uri(await serve('ended/servers/localhost'), 'ended/clients/alice'))).bad['tls-ca']).toMatchObject({ message: expect.stringMatching(/CA's certificate .* expired on 2020-04-10/), advice: expect.stringContaining('vnet pki init') });
  });

  it('says that a certificate is self-signed', async () => {
    await mkdir(at('self'));
    spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '90', '-subj', '/CN=self', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', at('self/server-key.pem'), '-out', at('self/server.pem')]);
    expect((await doctor(uri(await serve('self')))).bad).toEqual({ 'tls-ca': expect.objectContaining({ message: expect.stringContaining('self-signed') }) });
  });

  it('says that a certificate is for the other end', async () => {
    await writeFile(at('ours/clients/alice/server.pem'), await readFile(at('ours/clients/alice/client.pem')));
    await writeFile(at('ours/clients/alice/server-key.pem'), await readFile(at('ours/clients/alice/client-key.pem')));
    expect((await doctor(uri(await serve('ours/clients/alice')))).bad['tls-certificate']?.message).toMatch(/not for servers/);
    const port = await serve('ours/servers/localhost');
    const server = at('ours/servers/localhost');
    expect((await doctor(`vnet+tls://127.0.0.1:${port}/system?ca=${server}/ca.pem&cert=${server}/server.pem&key=${server}/server-key.pem`)).bad['tls-client-certificate']?.message).toMatch(/not for clients/);
  });

  it('says that certificate and key do not belong together, and what else is wrong with files', async () => {
    await mkdir(at('mixed'));
    for (const [file, from] of [['ca.pem', 'ours/ca.pem'], ['client.pem', 'ours/clients/alice/client.pem'], ['client-key.pem', 'theirs/clients/alice/client-key.pem']] as const) await writeFile(at('mixed', file), await readFile(at(from)), { mode: 0o600 });
    const port = await serve('ours/servers/localhost');
    expect((await doctor(uri(port, 'mixed'))).bad['tls-key']).toMatchObject({ severity: 'error', message: expect.stringMatching(/client-key\.pem is not the key of .*client\.pem/) });
    await chmod(at('mixed/client-key.pem'), 0o644);
    expect((await doctor(uri(port, 'mixed'))).bad['tls-files']).toMatchObject({ severity: 'warning', advice: `chmod 600 ${at('mixed/client-key.pem')}` });
    await chmod(at('mixed/client-key.pem'), 0o600);
    await writeFile(at('mixed/client.pem'), 'nothing');
    expect((await doctor(uri(port, 'mixed'))).bad['tls-files']?.message).toMatch(/client\.pem holds no certificate as PEM/);
  });

  it('reads the alerts of an end that is not Node', async () => {
    const start = async (...argv: string[]) => {
      const port = await freePort();
      const server = at('ours/servers/localhost');
      programs.push(spawn('openssl', ['s_server', '-accept', `127.0.0.1:${port}`, '-cert', `${server}/server.pem`, '-key', `${server}/server-key.pem`, '-alpn', 'h2', '-quiet', '-Verify', '1', '-verify_return_error', ...argv], { stdio: ['pipe', 'ignore', 'ignore'] }));
      await until('s_server listens', async () => (await readFile('/proc/net/tcp', 'utf8')).includes(`0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`));
      return port;
    };
    expect((await doctor(uri(await start('-CAfile', at('theirs/ca.pem'))))).bad['tls-authorization']?.message).toMatch(/refuses the certificate of 'alice': it does not know the CA/);
    expect((await doctor(uri(await start('-CAfile', at('ours/ca.pem')), 'bare'))).bad['tls-authorization']?.message).toMatch(/wants a client certificate/);
    await pki('ours', 'issue', 'client', 'eve');
    await pki('ours', 'revoke', 'eve');
    await writeFile(at('both.pem'), await readFile(at('ours/ca.pem'), 'utf8') + await readFile(at('ours/crl.pem'), 'utf8'));
    expect((await doctor(uri(await start('-CAfile', at('both.pem'), '-crl_check'), 'ours/clients/eve'))).bad['tls-authorization']?.message).toMatch(/refuses the certificate of 'eve': it was revoked/);
  });

  it('passes on why a daemon that knows the certificate refuses it', async () => {
    const refusal = new NetworkError(ErrorCode.AUTH_FAILED, 'not listed: CN=alice');
    expect((await doctor(uri(await serve('ours/servers/localhost')), refusal)).bad['tls-authorization']).toMatchObject({ message: expect.stringMatching(/knows the certificate of 'alice', and refuses it: .*not listed/), advice: expect.stringContaining('CN=alice') });
  });

  it('says that it is no vnetd', async () => {
    const https = await portOf(createHttps(await pair('ours/servers/localhost'), (_, answer) => answer.end()));
    expect((await doctor(uri(https))).bad['protocol']?.message).toMatch(/speaks TLS, but not HTTP\/2/);
    const secret = await portOf(createTls(await pair('ours/servers/localhost'), (socket) => socket.end('hello\n')));
    expect((await doctor(uri(secret))).bad['protocol']?.message).toMatch(/no vnetd/);
    const banner = await portOf(createServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-something\r\n')));
    expect((await doctor(uri(banner))).bad['tls']?.message).toMatch(/does not speak TLS/);
    expect((await doctor(`vnet+tcp://127.0.0.1:${banner}/system`)).bad['protocol']?.message).toMatch(/does not speak HTTP\/2/);
  });

  it('says that TLS is too old there', async () => {
    const old = await portOf(createTls({ ...await pair('ours/servers/localhost'), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }).on('tlsClientError', () => undefined));
    expect((await doctor(uri(old))).bad['tls-version']?.message).toMatch(/older than 1\.2/);
  });

  it('says that nobody listens, and that a name is not known', async () => {
    const port = await freePort();
    expect((await doctor(uri(port))).bad['listening']).toMatchObject({ message: `nobody listens on 127.0.0.1:${port}`, advice: expect.stringContaining('[tls] enabled = true') });
    expect((await doctor(`vnet+tcp://127.0.0.1:${port}/system`)).bad['listening']?.advice).toContain('[tcp] enabled = true');
    expect((await doctor(uri(port, 'ours/clients/alice', 'no-such-host.invalid'))).bad['name']?.message).toMatch(/no address is known for 'no-such-host\.invalid'/);
  });
});

describe('over a unix socket', () => {
  let folder: Awaited<ReturnType<typeof openFolder>>;
  beforeAll(async () => { folder = await openFolder(); });
  afterAll(() => folder.close());
  const uri = (path: string) => `vnet+unix:///system?socket=${path}`;

  it('says that whoever made the socket has ended', async () => {
    const path = join(folder.path, 'stale.sock');
    const child = spawn(process.execPath, ['-e', 'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))', path]);
    await once(child, 'exit');
    expect((await doctor(uri(path))).bad['daemon-socket']).toMatchObject({ message: `nobody listens on ${path}: whoever made it has ended`, advice: expect.stringContaining('systemctl start vnetd') });
  });

  it.skipIf(process.getuid?.() !== 0)('says that an account may not open it', async () => {
    const path = join(folder.path, 'secret.sock');
    const server = createServer().listen(path);
    await once(server, 'listening');
    await chmod(path, 0o600);
    const { stdout, status } = spawnSync(process.execPath, [join(dist, 'client/cli/vnet.js'), '-c', uri(path), 'doctor', '-o', 'json'], { uid: 65_534, gid: 65_534, encoding: 'utf8' });
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toContainEqual(expect.objectContaining({ check: 'daemon-socket', severity: 'error', message: expect.stringContaining(`may not open ${path}`), advice: expect.stringContaining('usermod -aG vnet') }));
    server.close();
  });
});
