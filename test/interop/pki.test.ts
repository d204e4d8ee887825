/** `vnet pki` against openssl and real TLS: what it makes is good, and what it takes back is refused. */
import { spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect as connectTls, createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../client/connect.js';
import { openFolder, startDaemon } from '../processes.js';
import { writeAccess } from '../serving.js';
import { runVnet } from '../unit/cli/run-vnet.js';

const openssl = (...argv: string[]) => spawnSync('openssl', argv, { encoding: 'utf8' });
const available = openssl('version').status === 0;
const permissions = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
const dayMs = 86_400_000;

describe.skipIf(!available)('vnet pki', () => {
  let folder: Awaited<ReturnType<typeof openFolder>>;
  let dir: string;
  beforeAll(async () => {
    folder = await openFolder();
    dir = join(folder.path, 'pki');
    for (const argv of [['init', '--name', 'Our CA'], ['issue', 'server', 'host1.example.org', '--san', '127.0.0.1,::1,localhost'], ['issue', 'client', 'alice'], ['issue', 'client', 'bob', '--days', '30']]) {
      expect(await pki(...argv)).toMatchObject({ code: 0 });
    }
  });
  afterAll(() => folder.close());
  const pki = (...argv: string[]) => runVnet(['pki', '--dir', dir, ...argv]);
  const at = (...names: string[]) => join(dir, ...names);
  const certificate = async (...names: string[]) => new X509Certificate(await readFile(at(...names)));

  it('makes an authority that can sign certificates and nothing below it', async () => {
    const { stdout } = openssl('x509', '-in', at('ca.pem'), '-noout', '-text');
    expect(stdout).toMatch(/Subject: CN = Our CA/);
    expect(stdout).toMatch(/CA:TRUE, pathlen:0/);
    expect(stdout).toMatch(/Certificate Sign, CRL Sign/);
    expect(openssl('verify', '-x509_strict', '-CAfile', at('ca.pem'), at('ca.pem')).status).toBe(0);
    expect(openssl('crl', '-in', at('crl.pem'), '-CAfile', at('ca.pem'), '-noout').stderr).toContain('verify OK');
  });

  it('T33: keeps keys to their owner, and nothing half-done', async () => {
    expect(await permissions(dir)).toBe('755');
    expect(await permissions(at('clients/alice'))).toBe('700');
    for (const key of ['ca-key.pem', 'servers/host1.example.org/server-key.pem', 'clients/alice/client-key.pem']) expect(await permissions(at(key))).toBe('600');
    for (const open of ['ca.pem', 'crl.pem', 'clients/alice/client.pem']) expect(await permissions(at(open))).toBe('644');
    expect((await readdir(dir)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it.each([['servers/host1.example.org', 'server', 'sslserver', 'sslclient'], ['clients/alice', 'client', 'sslclient', 'sslserver']])('makes %s good for one end only', async (where, kind, purpose, other) => {
    const file = at(where, `${kind}.pem`);
    const verify = (which: string) => openssl('verify', '-x509_strict', '-CAfile', at(where, 'ca.pem'), '-CRLfile', at('crl.pem'), '-crl_check', '-purpose', which, file);
    expect(verify(purpose)).toMatchObject({ status: 0, stdout: `${file}: OK\n` });
    expect(verify(other).status).not.toBe(0);
    const made = await certificate(where, `${kind}.pem`);
    expect(made.checkPrivateKey(createPrivateKey(await readFile(at(where, `${kind}-key.pem`))))).toBe(true);
    expect(new Date(made.validFrom).getTime()).toBeLessThan(Date.now() - 3_000_000);
    expect(Math.round((new Date(made.validTo).getTime() - Date.now()) / dayMs)).toBe(825);
  });

  it('names a server by all its names and addresses', async () => {
    const made = await certificate('servers/host1.example.org/server.pem');
    expect(['host1.example.org', 'localhost'].map((name) => made.checkHost(name))).not.toContain(undefined);
    expect(['127.0.0.1', '::1'].map((address) => made.checkIP(address))).not.toContain(undefined);
    expect(made.checkHost('host2.example.org')).toBeUndefined();
  });

  it('refuses to overwrite, unless told to', async () => {
    const before = await readFile(at('clients/bob/client.pem'), 'utf8');
    expect(await pki('issue', 'client', 'bob')).toMatchObject({ code: 4, err: expect.stringMatching(/client\.pem exists[^]*--force/) });
    expect(await pki('init')).toMatchObject({ code: 4, err: expect.stringContaining('ca.pem exists') });
    expect(await readFile(at('clients/bob/client.pem'), 'utf8')).toBe(before);
    expect(await pki('issue', 'client', 'bob', '--force', '--days', '30')).toMatchObject({ code: 0 });
    expect(await readFile(at('clients/bob/client.pem'), 'utf8')).not.toBe(before);
  });

  it('lists what it has issued, as a table and as records', async () => {
    const records = JSON.parse((await pki('list', '-o', 'json')).out) as Record<string, unknown>[];
    expect(records.map(({ name, kind, state }) => [name, kind, state])).toEqual([
      ['Our CA', 'ca', 'valid'], ['alice', 'client', 'valid'], ['bob', 'client', 'valid'], ['bob', 'client', 'valid'], ['host1.example.org', 'server', 'valid'],
    ]);
    expect(records.at(-1)).toMatchObject({ alternativeNames: ['DNS:host1.example.org', 'IP Address:127.0.0.1', 'IP Address:0:0:0:0:0:0:0:1', 'DNS:localhost'] });
    expect((await pki('list')).out).toMatch(/alice +client +valid +20\d\d-\d\d-\d\d +[0-9A-F]{16,40}/);
  });

  it.each([
    [['issue', 'server', '../../etc'], /cannot be the name/], [['issue', 'client', 'a\nCN = root'], /cannot be the name/], [['issue', 'client', '$ENV::HOME'], /cannot be the name/],
    [['issue', 'server', 'h', '--san', 'a b'], /no name/], [['issue', 'server', 'h', '--san', 'DNS:x;IP:1'], /no name/], [['issue', 'peer', 'h'], /server or a client/],
    [['issue', 'client', 'c', '--days', '0'], /from 1 to/], [['issue', 'client', 'c', '--days', '5000'], /--days \d+/], [['issue', 'client'], /expected syntax/],
    [['revoke', 'nobody'], /no certificate/], [['lsit'], /did you mean 'list'/],
  ])('refuses %j', async (argv, words) => {
    const before = (await readdir(dir, { recursive: true })).sort();
    expect(await pki(...argv)).toMatchObject({ code: 2, err: expect.stringMatching(words) });
    expect((await readdir(dir, { recursive: true })).sort()).toEqual(before);
  });

  it('does not sign where others can read the key, or nothing was made', async () => {
    await chmod(at('ca-key.pem'), 0o644);
    expect(await pki('issue', 'client', 'eve')).toMatchObject({ code: 1, err: expect.stringContaining('chmod 600') });
    await chmod(at('ca-key.pem'), 0o600);
    expect(await runVnet(['pki', '--dir', join(folder.path, 'none'), 'list'])).toMatchObject({ code: 1, err: expect.stringContaining('vnet pki init') });
  });

  it('says that it cannot write there', async () => {
    expect(await runVnet(['pki', '--dir', at('ca.pem', 'below'), 'init'])).toMatchObject({ code: 1, err: expect.stringMatching(/cannot make the folder .*below[^]*--dir DIR/) });
  });

  it('lets one at a time work in a folder, and takes over from the dead', async () => {
    await writeFile(at('.lock'), String(process.pid));
    expect(await pki('issue', 'client', 'carol')).toMatchObject({ code: 1, err: expect.stringContaining('is at work there') });
    await writeFile(at('.lock'), '4194304');
    expect(await pki('issue', 'client', 'carol')).toMatchObject({ code: 0 });
  });

  it('serves a daemon\'s defaults and its clients, in both directions', async () => {
    const root = join(folder.path, 'root');
    const own = join(root, 'etc/vnet/pki');
    await mkdir(own, { recursive: true });
    for (const argv of [['init'], ['issue', 'server', 'localhost', '--san', '127.0.0.1', '--here'], ['issue', 'client', 'dave']]) {
      expect(await runVnet(['pki', '--dir', own, ...argv])).toMatchObject({ code: 0 });
    }
    await writeFile(join(root, 'etc/vnet/vnetd.toml'), '[tls]\nenabled = true\nport = 0\n');
    await writeAccess(root, '[[allow]]\nsubject = "CN=dave"\nrights = "read"\n');
    const daemon = await startDaemon(['--root', root, '--driver', 'test']);
    try {
      const connection = await connect(`${daemon.uris['tls']}?pkipath=${own}/clients/dave`);
      expect(await connection.driver.listAllNetworks({})).toMatchObject({ networks: expect.arrayContaining([expect.objectContaining({ network: expect.objectContaining({ name: 'default' }) })]) });
      await connection.close();
      // Another authority's client, and a client that takes this daemon for another's.
      await expect(connect(`${daemon.uris['tls']}?ca=${own}/ca.pem&cert=${at('clients/alice/client.pem')}&key=${at('clients/alice/client-key.pem')}`)).rejects.toThrow();
      await expect(connect(`${daemon.uris['tls']}?pkipath=${at('clients/alice')}`)).rejects.toThrow(/certificate/);
    } finally {
      await daemon.stop();
    }
  });

  it('revokes by name and by serial, and a server with the list refuses', async () => {
    const { serialNumber } = await certificate('clients/carol/client.pem');
    expect(await pki('revoke', 'bob')).toMatchObject({ code: 0, out: expect.stringMatching(/(Certificate \w+ of client bob revoked\n){2}/) });
    expect(await pki('revoke', serialNumber.toLowerCase())).toMatchObject({ code: 0 });
    expect(await pki('revoke', 'bob')).toMatchObject({ code: 2, err: expect.stringContaining('revoked already') });
    const records = JSON.parse((await pki('list', '-o', 'json')).out) as { name: string; state: string }[];
    expect(records.filter(({ state }) => state === 'revoked').map(({ name }) => name)).toEqual(['bob', 'bob', 'carol']);
    const server = at('servers/host1.example.org');
    const listening = createServer({
      ca: await readFile(at('ca.pem')), crl: await readFile(at('crl.pem')), cert: await readFile(join(server, 'server.pem')), key: await readFile(join(server, 'server-key.pem')),
      requestCert: true, rejectUnauthorized: true,
    }, (socket) => socket.end('welcome')).on('tlsClientError', () => undefined);
    await once(listening.listen(0, '127.0.0.1'), 'listening');
    const { port } = listening.address() as { port: number };
    const greet = async (name: string) => {
      const [ca, cert, key] = await Promise.all(['ca.pem', 'client.pem', 'client-key.pem'].map((file) => readFile(at('clients', name, file))));
      const socket: TLSSocket = connectTls({ host: '127.0.0.1', port, ca: ca!, cert: cert!, key: key! });
      let heard = '';
      socket.setEncoding('utf8').on('data', (text: string) => { heard += text; }).on('error', () => undefined);
      await once(socket, 'close');
      return heard;
    };
    expect([await greet('alice'), await greet('bob'), await greet('carol')]).toEqual(['welcome', '', '']);
    listening.close();
  });

  it('replaces an authority with --force: what the old one signed is void', async () => {
    const old = await readFile(at('clients/alice/client.pem'), 'utf8');
    expect(await pki('init', '--force')).toMatchObject({ code: 0 });
    expect(JSON.parse((await pki('list', '-o', 'json')).out)).toMatchObject([{ kind: 'ca', name: 'vnet CA' }]);
    expect(openssl('verify', '-CAfile', at('ca.pem'), at('clients/alice/client.pem')).status).not.toBe(0);
    expect(await readFile(at('clients/alice/client.pem'), 'utf8')).toBe(old);
  });
});
