/**
 * Who is let in over TLS, by what it shows, as clients and the log see it; and
 * that certificates and lists change under a daemon that goes on serving.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { connect, type ConnectedDriver } from '../../client/connect.js';
import { ErrorCode } from '../../shared/errors.js';
import { openAuthority, type Authority } from '../pki.js';
import { dist, openFolder, startDaemon, until, type Daemon } from '../processes.js';
import { writeAccess } from '../serving.js';

// A machine may be busy; what must be soon says so itself.
vi.setConfig({ testTimeout: 120_000 });

let folder: Awaited<ReturnType<typeof openFolder>>;
let authority: Authority;
let serving: Served | undefined;

/** A daemon with certificates of its own. */
interface Served {
  daemon: Daemon;
  /** Its files: server.pem, server-key.pem, ca.pem, crl.pem, and vnetd.toml above. */
  pki: string;
  port: string;
  /** Writes its configuration with these lines in [tls]. */
  configure(lines: string): Promise<void>;
}

const clients = {
  alice: { subject: '/O=Lab/CN=alice', san: 'DNS:alice.lab.example,URI:spiffe://lab/alice', purpose: 'clientAuth' },
  bob: { subject: '/O=Lab/CN=bob' },
  forged: { subject: '/O=Lab/CN=bob,O=Lab\nCN=alice' },
  comma: { subject: '/CN=alice,O=Lab' },
  expired: { from: '20200101000000Z', to: '20210101000000Z' },
  future: { from: '20980101000000Z', to: '20990101000000Z' },
  wrongpurpose: { purpose: 'serverAuth' },
  selfsigned: { selfSigned: true },
  revoked: {},
  weak: { digest: 'sha1' },
  between: { signs: 'TRUE,pathlen:0' },
  through: { signedBy: 'between' },
  second: { signedBy: 'between', signs: 'TRUE' },
  toodeep: { signedBy: 'second' },
  belowbob: { signedBy: 'bob' },
};

beforeAll(async () => {
  folder = await openFolder();
  authority = await openAuthority(join(folder.path, 'ca'));
  for (const [name, leaf] of Object.entries(clients)) await authority.issue(name, leaf);
  for (const name of ['server', 'other-server']) await authority.issue(name, { san: 'DNS:localhost,IP:127.0.0.1', purpose: 'serverAuth' });
  await authority.list('none.pem');
  await authority.revoke('revoked');
  await authority.list('crl.pem');
  await authority.list('ended.pem', { from: '20200101000000Z', to: '20210101000000Z' });
  const other = await openAuthority(join(folder.path, 'other'), 'other');
  await other.issue('alice', clients.alice);
  await other.list('crl.pem');
}, 120_000);
afterAll(() => folder?.close());
afterEach(async () => {
  await serving?.daemon.stop();
  serving = undefined;
});

let made = 0;
async function serve(lines: string, extra: { crl?: string } = {}): Promise<Served> {
  const root = join(folder.path, `daemon${made += 1}`);
  const pki = join(root, 'pki');
  await mkdir(pki, { recursive: true });
  const file = join(root, 'vnetd.toml');
  for (const name of ['server.pem', 'server-key.pem', 'ca.pem']) await copyFile(join(authority.folder, name), join(pki, name));
  if (extra.crl !== undefined) await copyFile(join(authority.folder, extra.crl), join(pki, 'crl.pem'));
  const configure = (more: string) => place(file, `[tls]
enabled = true
port = 0
certificate = "${pki}/server.pem"
key = "${pki}/server-key.pem"
ca = "${pki}/ca.pem"
${extra.crl === undefined ? '' : `crl = "${pki}/crl.pem"`}
${more}
[log]
level = "debug"
`);
  await configure(lines);
  await writeAccess(root);
  const daemon = await startDaemon(['--root', root, '--driver', 'test', '--config', file]);
  return serving = { daemon, pki, port: new URL(daemon.uris['tls']!).port, configure };
}

/** Puts a file in place in one step. */
async function place(path: string, text: string | Buffer): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

const uriOf = ({ port }: Served, name: string, from = authority.folder) =>
  `vnet+tls://localhost:${port}/system?ca=${authority.folder}/ca.pem&cert=${from}/${name}.pem&key=${from}/${name}-key.pem`;

/** Lines of the log about clients that were not let in. */
const refusals = ({ daemon }: Served) => daemon.log.filter(({ msg }) => msg === 'TLS: a client was not let in');

async function refused(served: Served, uri: string): Promise<{ who: unknown; why: string }> {
  const before = refusals(served).length;
  await expect(connect(uri, { timeoutMs: 10_000 })).rejects.toMatchObject({ code: expect.any(Number) });
  const line = await until('a line of the log', async () => refusals(served)[before]);
  expect(line['peer']).toMatch(/^(::ffff:)?127\.0\.0\.1:\d+$/);
  return { who: line['who'], why: String(line['why']) };
}

async function accepted(uri: string): Promise<void> {
  const { driver, close } = await connect(uri);
  expect(await driver.numOfNetworks({})).toEqual({ count: 1 });
  await close();
}

/** The fingerprint of what the daemon shows now. */
const shown = ({ port, pki }: Served) => new Promise<string>((resolve, reject) => {
  readFile(join(pki, 'ca.pem')).then((ca) => {
    const socket = connectTls({ port: Number(port), host: '127.0.0.1', servername: 'localhost', ca, ALPNProtocols: ['h2'] }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    }).on('error', reject);
  }, reject);
});

const logged = ({ daemon }: Served, words: RegExp) => until(String(words), async () => daemon.log.find(({ msg }) => words.test(String(msg))), 3000);

describe('a client over TLS', () => {
  it('T16: is refused with a certificate that is no good, and without one, and the log says who and why', async () => {
    const served = await serve('', { crl: 'crl.pem' });
    for (const [name, why] of [
      ['expired', /it has expired/], ['future', /not valid yet/], ['wrongpurpose', /not for clients/], ['selfsigned', /its CA is not trusted/], ['revoked', /revoked/],
    ] as const) expect(await refused(served, uriOf(served, name))).toEqual({ who: `CN=${name}`, why: expect.stringMatching(why) });
    expect(await refused(served, uriOf(served, 'alice', join(folder.path, 'other')))).toEqual({ who: 'CN=alice,O=Lab', why: expect.stringMatching(/CA is not trusted/) });
    await accepted(uriOf(served, 'alice'));
    const { stdout } = await promisify(execFile)('sh', ['-c', `echo | timeout 3 openssl s_client -connect 127.0.0.1:${served.port} -alpn h2 -ign_eof 2>&1 | tr -d '\\0' || true`]);
    expect(stdout).toContain('vnetd lets nobody in here like this: it shows no certificate');
    expect(refusals(served).at(-1)).toMatchObject({ why: 'it shows no certificate' });
  });

  it('that is not let in, or may not stay, has a record in the audit', async () => {
    const file = join(folder.path, 'audit.log');
    const list = (allowed: string) => `allowed = ${allowed}\n[audit]\nfile = "${file}"`;
    const served = await serve(list('["CN=alice,O=Lab"]'), { crl: 'crl.pem' });
    const records = async () => (await readFile(file, 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const name of ['selfsigned', 'revoked', 'bob']) await refused(served, uriOf(served, name));
    await refused(served, uriOf(served, 'alice', join(folder.path, 'other')));
    await new Promise((resolve) => {
      const shy = connectTls({ port: Number(served.port), host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] });
      shy.on('error', () => undefined).on('close', resolve).resume();
    });
    const stays = await connect(uriOf(served, 'alice'));
    await served.configure(list('[]'));
    await until('the last record', async () => (await records()).length >= 6);
    await stays.close();
    const expected = [
      ['CN=selfsigned', /no CA signed it|not trusted/], ['CN=revoked', /revoked/], ['CN=bob,O=Lab', /none of those that are allowed/],
      ['CN=alice,O=Lab', /CA is not trusted/], [null, /it shows no certificate/], ['CN=alice,O=Lab', /none of those that are allowed/],
    ] as const;
    expect((await records()).slice(0, 6)).toEqual(expected.map(([who, reason]) => expect.objectContaining({
      audit: true, event: 'refused', code: 'AUTH_FAILED', listener: 'tls', connection: expect.any(Number), peer: expect.stringContaining('127.0.0.1'), who, reason: expect.stringMatching(reason),
    })));
  });

  it('T16: is refused with a chain that is too long, or goes through one that signs nothing, and with a digest that can be forged', async () => {
    const served = await serve('');
    await accepted(uriOf(served, 'through'));
    for (const name of ['toodeep', 'belowbob', 'weak']) {
      const before = refusals(served).length;
      const [ca, cert, key] = await Promise.all(['ca.pem', `${name}.pem`, `${name}-key.pem`].map((file) => readFile(join(authority.folder, file))));
      // A client that minds nothing itself.
      const socket = connectTls({ port: Number(served.port), host: 'localhost', ca, cert, key, ciphers: 'DEFAULT@SECLEVEL=0', ALPNProtocols: ['h2'] }).on('error', () => undefined);
      const line = await until(`a refusal of ${name}`, async () => refusals(served)[before]);
      expect({ name, who: line['who'], why: line['why'] }).toEqual({ name, who: `CN=${name}`, why: expect.stringMatching(/^its certificate is refused: /) });
      socket.destroy();
    }
  });

  it('T16: must speak TLS 1.2 at least, and 1.3 where that is asked for', async () => {
    const versions = async ({ port }: Served) => Promise.all((['TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const).map((version) => new Promise<string>((resolve) => {
      const socket = connectTls({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false, minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0', ALPNProtocols: ['h2'] },
        () => { resolve(String(socket.getProtocol())); socket.destroy(); }).on('error', () => resolve('refused'));
    })));
    expect(await versions(await serve(''))).toEqual(['refused', 'TLSv1.2', 'TLSv1.3']);
    await serving?.daemon.stop();
    expect(await versions(await serve('minimum_version = "1.3"'))).toEqual(['refused', 'refused', 'TLSv1.3']);
  });

  it('T17: is let in by a list, and nobody else is, whatever a name looks like; by an empty one nobody', async () => {
    const served = await serve('allowed = []');
    expect((await refused(served, uriOf(served, 'alice'))).why).toMatch(/none of those that are allowed/);
    for (const [index, list] of ['["CN=alice,O=Lab"]', '["CN=x", "DNS:*.lab.example"]', '["URI:spiffe://lab/*"]'].entries()) {
      await served.configure(`allowed = ${list}`);
      served.daemon.process.kill('SIGHUP');
      await until('the new list', async () => served.daemon.log.filter(({ msg }) => msg === 'read again').length > index);
      await accepted(uriOf(served, 'alice'));
      for (const name of ['bob', 'forged', 'comma']) expect((await refused(served, uriOf(served, name))).why).toBe('its certificate is none of those that are allowed');
      expect(refusals(served).slice(-3).map(({ who }) => who)).toEqual(['CN=bob,O=Lab', 'CN=bob\\,O\\=Lab\\0ACN\\=alice,O=Lab', 'CN=alice\\,O\\=Lab']);
    }
  });

  it('F29: T18: is refused where the revocation list has ended', async () => {
    const ended = await serve('', { crl: 'ended.pem' });
    expect(await logged(ended, /crl\.pem ended .*clients are refused/)).toMatchObject({ level: 40 });
    expect((await refused(ended, uriOf(ended, 'alice'))).why).toMatch(/revocation list of its CA has ended/);
  });

  it('T18: cannot resume a session', async () => {
    const served = await serve('');
    const [ca, cert, key] = await Promise.all(['ca.pem', 'alice.pem', 'alice-key.pem'].map((name) => readFile(join(authority.folder, name))));
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const open = (session?: Buffer) => new Promise<{ session: Buffer | undefined; reused: boolean }>((resolve, reject) => {
        let kept: Buffer | undefined;
        const socket = connectTls({ port: Number(served.port), host: 'localhost', ca, cert, key, maxVersion, ALPNProtocols: ['h2'], ...(session === undefined ? {} : { session }) })
          .on('session', (fresh: Buffer) => { kept = fresh; }).once('data', () => { resolve({ session: kept ?? socket.getSession(), reused: socket.isSessionReused() }); socket.destroy(); }).on('error', reject);
      });
      const { session } = await open();
      expect((await open(session)).reused).toBe(false);
    }
  });
});

describe('new files', () => {
  it('F29: T18: are taken without a lost call, half-written or not, and shown to the next client', async () => {
    const served = await serve('');
    const { driver, close } = await connect(uriOf(served, 'alice'));
    const before = await shown(served);
    const outcome = { calls: 0, failed: [] as unknown[] };
    let over = false;
    const calling = (async () => {
      while (!over) await driver.numOfNetworks({}).then(() => { outcome.calls += 1; }, (error: unknown) => outcome.failed.push(error));
    })();
    const joining = (async () => {
      while (!over) await accepted(uriOf(served, 'bob')).catch((error: unknown) => outcome.failed.push(error));
    })();
    // Half of the new certificate, beside the old key.
    const fresh = await readFile(join(authority.folder, 'other-server.pem'));
    await writeFile(join(served.pki, 'server.pem'), fresh.subarray(0, fresh.length / 2));
    expect(await logged(served, /server\.pem holds no whole certificate.*what was good stays in force/)).toMatchObject({ level: 50 });
    // All of it, and still the old key.
    await writeFile(join(served.pki, 'server.pem'), fresh);
    await logged(served, /server-key\.pem is not the key of .*server\.pem/);
    expect(await shown(served)).toBe(before);
    await copyFile(join(authority.folder, 'other-server-key.pem'), join(served.pki, 'server-key.pem'));
    await until('the new certificate', async () => await shown(served) !== before, 3000);
    over = true;
    await Promise.all([calling, joining]);
    expect(outcome).toEqual({ calls: expect.any(Number), failed: [] });
    expect(outcome.calls).toBeGreaterThan(10);
    await driver.numOfNetworks({});
    await close();
  });

  it('T18: are taken on SIGHUP, and what cannot be used is not', async () => {
    const served = await serve('', { crl: 'crl.pem' });
    for (const [name, from, words] of [
      ['crl.pem', join(folder.path, 'other/crl.pem'), /none of the CAs in use made this list/], ['crl.pem', join(authority.folder, 'ended.pem'), /crl\.pem ended/],
      ['server-key.pem', join(authority.folder, 'ca.pem'), /holds no private key/], ['ca.pem', join(authority.folder, 'alice.pem'), /is no CA/], ['server.pem', join(authority.folder, 'alice.pem'), /is not the key of/],
    ] as const) {
      const kept = await readFile(join(served.pki, name));
      await writeFile(join(served.pki, name), await readFile(from));
      served.daemon.process.kill('SIGHUP');
      await logged(served, words);
      await accepted(uriOf(served, 'alice'));
      expect((await refused(served, uriOf(served, 'revoked'))).why).toMatch(/revoked/);
      await writeFile(join(served.pki, name), kept);
    }
  });
});

describe('whoever is connected', () => {
  /** A client with a stream that ends when its connection does. */
  async function watching(uri: string): Promise<ConnectedDriver & { ended: Promise<unknown> }> {
    const connected = await connect(uri);
    const events = connected.driver.watchNetworkEvents({ network: undefined, kinds: [], epoch: '', after: 0 })[Symbol.asyncIterator]();
    await events.next();
    return { ...connected, ended: events.next().then(() => 'went on', (error: { code: number }) => error.code) };
  }

  it.each([
    ['is revoked', { crl: 'none.pem' }, async (served: Served) => {
      await authority.revoke('bob');
      await authority.list(join(served.pki, 'crl.pem.new'));
      await rename(join(served.pki, 'crl.pem.new'), join(served.pki, 'crl.pem'));
    }],
    // Also where another file cannot be used.
    ['is on the list no more', { crl: 'none.pem' }, async (served: Served) => {
      await served.configure('allowed = ["CN=alice,O=Lab"]');
      await place(join(served.pki, 'crl.pem'), await readFile(join(authority.folder, 'ended.pem')));
    }],
  ])('T18: goes within two seconds if it %s; others stay', async (_, extra, change) => {
    const served = await serve('allowed = ["CN=alice,O=Lab", "CN=bob,O=Lab"]', extra);
    const [alice, bob] = [await watching(uriOf(served, 'alice')), await watching(uriOf(served, 'bob'))];
    const started = performance.now();
    await change(served);
    const changed = performance.now();
    expect(await Promise.race([bob.ended, new Promise((resolve) => { setTimeout(() => resolve('still there'), 5000); })])).toBe(ErrorCode.RPC);
    expect(performance.now() - changed).toBeLessThan(2000);
    expect(performance.now() - started).toBeLessThan(4000);
    await logged(served, /a connection was closed: its certificate is/);
    await expect(alice.driver.numOfNetworks({})).resolves.toEqual({ count: 1 });
    expect((await refused(served, uriOf(served, 'bob'))).why).toMatch(/revoked|allowed/);
    await Promise.all([alice.close(), bob.close()]);
  });

  it('T18: goes if its CA is trusted no more', async () => {
    const served = await serve('');
    const alice = await watching(uriOf(served, 'alice'));
    await place(join(served.pki, 'ca.pem'), await readFile(join(folder.path, 'other/ca.pem')));
    const changed = performance.now();
    expect(await Promise.race([alice.ended, new Promise((resolve) => { setTimeout(resolve, 5000, 'still there'); })])).toBe(ErrorCode.RPC);
    expect(performance.now() - changed).toBeLessThan(2000);
    await accepted(`vnet+tls://localhost:${served.port}/system?ca=${authority.folder}/ca.pem&cert=${folder.path}/other/alice.pem&key=${folder.path}/other/alice-key.pem`);
    await alice.close();
  });
});

describe('--check-config', () => {
  it('says what is wrong with lists and with the files of TLS', async () => {
    const root = join(folder.path, 'checked');
    await mkdir(root);
    const check = async (lines: string) => {
      await writeFile(join(root, 'c.toml'), `[tls]\nenabled = true\n${lines}`);
      return promisify(execFile)(process.execPath, [join(dist, 'bin/vnetd.js'), '--root', root, '--config', join(root, 'c.toml'), '--check-config']).then(() => '', (error: { stderr: string }) => error.stderr);
    };
    const files = (key = 'server-key.pem') => `certificate = "${authority.folder}/server.pem"\nkey = "${authority.folder}/${key}"\nca = "${authority.folder}/ca.pem"\n`;
    expect(await check('allowed = ["alice"]')).toMatch(/c\.toml:3: tls\.allowed .* a subject reads as TYPE=VALUE/);
    expect(await check(`${files()}crl = "${authority.folder}/ended.pem"`)).toMatch(/ended\.pem ended 2021/);
    expect(await check(files())).toBe('');
  });
});
