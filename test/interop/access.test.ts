/**
 * Rights, the audit and the calls about the daemon, with vnetd as a process and
 * `vnet` as its client.
 */
import { execFile, spawn } from 'node:child_process';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openConnection } from '../../client/connection.js';
import { ErrorCode } from '../../shared/errors.js';
import { dist, openFolder, until } from '../processes.js';
import { openServing, type Serving } from '../serving.js';

const run = promisify(execFile);

/** Runs `vnet`. Gives what it says, and its exit code. */
async function vnet(uri: string, ...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const done = await run(process.execPath, [join(dist, 'client/cli/vnet.js'), '-c', uri, ...argv]).catch((error: { code: number; stdout: string; stderr: string }) => error);
  return { code: 0, ...done };
}

const limited = '[[allow]]\nlistener = "tls"\nnetworks = "priv*"\nrights = "operate"\n';
const others = '[[allow]]\nlistener = "tcp"\nrights = "read"\n[[allow]]\nlistener = "unix"\nrights = ["all", "admin"]\n';

let serving: Serving;
let audit: string;
const setTable = async (toml: string) => {
  const file = join(serving.root, 'etc/vnet/access.toml');
  await writeFile(`${file}.new`, toml, { mode: 0o600 });
  await rename(`${file}.new`, file);
};
const records = async () => (await readFile(audit, 'utf8')).split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>);
const logged = (message: RegExp) => until(String(message), async () => serving.daemon.log.find(({ msg }) => message.test(String(msg))));

beforeAll(async () => {
  const folder = await openFolder();
  audit = join(folder.path, 'audit.jsonl');
  serving = await openServing('test', { access: limited + others, more: `[audit]\nfile = "${audit}"\nrequired = true\n` });
  const { close } = serving;
  serving.close = async () => { await close(); await folder.close(); };
}, 60_000);
afterAll(() => serving?.close());

describe('a client with some rights', { timeout: 60_000 }, () => {
  it('sees its networks and no others, and does with them what it may', async () => {
    const { tls } = serving.uris;
    expect((await vnet(tls, 'list', '-o', 'name')).stdout).toBe('private\n');
    expect(await vnet(tls, 'start', 'default')).toMatchObject({ code: 3, stderr: expect.stringContaining("no network with matching name 'default'") });
    expect(await vnet(tls, 'start', 'private')).toMatchObject({ code: 0 });
    expect(await vnet(tls, 'undefine', 'private')).toMatchObject({
      code: 5, stderr: expect.stringMatching(/error: access denied: NetworkUndefine\nhint: it needs network:delete, which .* does not have; 'vnet whoami'/),
    });
    expect(await vnet(tls, 'admin', 'clients')).toMatchObject({ code: 5 });
    const { code, stdout } = await vnet(tls, '-o', 'json', 'whoami');
    expect({ code, told: JSON.parse(stdout) as unknown }).toMatchObject({ code: 0, told: [{ listener: 'tls', rights: [{ networks: ['priv*'], permissions: expect.arrayContaining(['network:start']) }] }] });
    expect(await vnet(serving.uris.tcp, 'start', 'default')).toMatchObject({ code: 5 });
    expect((await vnet(serving.uris.tcp, 'list', '-o', 'name')).stdout).toBe('default\nprivate\n');
  });

  it('T34: leaves a record of what it did, and of what it was refused', async () => {
    expect(await records()).toEqual(expect.arrayContaining([
      expect.objectContaining({ event: 'refused', procedure: 'NetworkLookupByName', listener: 'tls', network: 'default', code: 'NO_NETWORK' }),
      expect.objectContaining({ event: 'intent', procedure: 'NetworkCreate', network: 'private', peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) }),
      expect.objectContaining({ event: 'result', procedure: 'NetworkCreate', network: 'private', code: 'OK' }),
      expect.objectContaining({ event: 'refused', procedure: 'NetworkUndefine', listener: 'tls', code: 'ACCESS_DENIED' }),
    ]));
    expect((await stat(audit)).mode & 0o777).toBe(0o600);
  });

  it('has others as soon as the table says so, keeps them while it says nonsense, and may always ask who it is', async () => {
    const { tls } = serving.uris;
    const connection = await openConnection(tls);
    await setTable(`${limited}[[allow]]\neverone = true\nrights = "all"\n`);
    await logged(/the access table cannot be read again/);
    expect((await connection.listAllNetworks()).map(({ network }) => network.name)).toEqual(['private']);
    await setTable(others);
    await until('the new table', () => connection.listAllNetworks().then(() => false, (error: { code: number }) => error.code === ErrorCode.ACCESS_DENIED));
    await connection.close();
    expect(await vnet(tls, 'list')).toMatchObject({ code: 5, stderr: expect.stringContaining('access denied: Open\nhint: it needs connect:getattr') });
    expect(await vnet(tls, 'whoami')).toMatchObject({ code: 0, stdout: expect.stringContaining('It may do nothing') });
  });
});

describe('the daemon', { timeout: 60_000 }, () => {
  it('says who is connected, ends a connection, and logs as much as it is told', async () => {
    const [admin, other] = await Promise.all([openConnection(serving.uris.unix), openConnection(serving.uris.tcp)]);
    const { client } = await other.admin.whoami();
    const clients = await admin.admin.clients();
    expect(clients.find(({ id }) => id === client.id)).toMatchObject({ listener: 'tcp', peer: client.peer, readonly: false, inFlight: 0 });
    expect((await vnet(serving.uris.unix, 'admin', 'clients')).stdout).toMatch(new RegExp(`^ Id +Transport +From +Identity +Connected since +Calls\\n-+\\n(.*\\n)* ${client.id} +tcp +${client.peer} `));
    await expect(other.admin.clients()).rejects.toMatchObject({ code: ErrorCode.ACCESS_DENIED });
    const self = await admin.admin.whoami();
    await expect(admin.admin.disconnect(self.client.id)).rejects.toMatchObject({ code: ErrorCode.OPERATION_INVALID });
    expect(await vnet(serving.uris.unix, 'admin', 'disconnect', '99999')).toMatchObject({ code: 3, stderr: expect.stringContaining("Client not found: No client with matching ID '99999'") });
    expect(await vnet(serving.uris.unix, 'admin', 'disconnect', String(client.id))).toMatchObject({ code: 0, stdout: `Client ${client.id} disconnected\n\n` });
    expect((await admin.admin.clients()).map(({ id }) => id)).not.toContain(client.id);

    expect(await admin.admin.logLevel()).toBe('debug');
    expect(await vnet(serving.uris.unix, 'admin', 'log-level', 'warn')).toMatchObject({ code: 0, stdout: 'Log level is warn, and was debug\n\n' });
    expect((await vnet(serving.uris.unix, 'admin', 'log-level')).stdout).toBe('warn\n\n');
    expect(await vnet(serving.uris.unix, 'admin', 'log-level', 'loud')).toMatchObject({ code: 2 });
    await admin.admin.setLogLevel('debug');
    expect(await records()).toEqual(expect.arrayContaining([
      expect.objectContaining({ event: 'intent', procedure: 'DisconnectClient', asked: { id: client.id } }),
      expect.objectContaining({ event: 'intent', procedure: 'SetLogLevel', asked: { level: 'warn' } }),
    ]));
    await Promise.all([admin.close(), other.close()]);
  });

  it('goes on in a new audit file when the old one is moved away and it gets SIGHUP', async () => {
    await rename(audit, `${audit}.1`);
    serving.daemon.process.kill('SIGHUP');
    await until('a new file', () => stat(audit).then(() => true, () => false));
    await vnet(serving.uris.unix, 'autostart', 'private');
    expect((await records()).map(({ event, procedure }) => [event, procedure])).toEqual([['intent', 'NetworkSetAutostart'], ['result', 'NetworkSetAutostart']]);
  });

  it('does not start with a table that it cannot use, or that others can write', async () => {
    const folder = await openFolder();
    const check = () => run(process.execPath, [join(dist, 'bin/vnetd.js'), '--root', folder.path, '--check-config']).catch((error: { code: number; stderr: string }) => error);
    await run('mkdir', ['-p', join(folder.path, 'etc/vnet')]);
    const file = join(folder.path, 'etc/vnet/access.toml');
    await writeFile(file, '[[allow]]\nuser = "x"\nrights = "al"\n', { mode: 0o600 });
    expect(await check()).toMatchObject({ code: 2, stderr: expect.stringMatching(/^vnetd: .*access\.toml:3: rights is "al"; "al" is no right/) });
    await writeFile(file, '');
    expect(await check()).toMatchObject({ stdout: 'the configuration is good\n' });
    await run('chmod', ['666', file]);
    expect(await check()).toMatchObject({ code: 2, stderr: expect.stringContaining('others may write it') });
    await folder.close();
  });
});

it('T34: what is about to be done is on record, whatever ends the daemon then', async () => {
  const folder = await openFolder();
  const file = join(folder.path, 'audit');
  const script = `
    import { openAudit } from '${dist}/server/access/audit.js';
    import { procedures } from '${dist}/server/calls.js';
    const log = { error() {} };
    const { audit } = openAudit({ file: '${file}', required: true }, () => {}, { log, which: (handle) => handle });
    const procedure = procedures.find(({ key }) => key === 'networkUndefine');
    const call = { id: 'c', procedure, identity: { kind: 'unix', name: 'alice' }, connection: { id: 1, listener: 'unix', peer: 'local' } };
    audit.asked(call, { network: { name: 'lab', uuid: '' } });
    process.kill(process.pid, 'SIGKILL');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'inherit', 'inherit'] });
  const signal = await new Promise((resolve) => child.once('exit', (_, by) => resolve(by)));
  expect(signal).toBe('SIGKILL');
  const lines = (await readFile(file, 'utf8')).split('\n');
  expect(lines).toEqual([expect.stringContaining('"event":"intent"'), '']);
  expect(JSON.parse(lines[0]!)).toMatchObject({ event: 'intent', call: 'c', who: 'alice', procedure: 'NetworkUndefine', network: 'lab' });
  await folder.close();
}, 30_000);

describe('health and reflection', { timeout: 60_000 }, () => {
  const asIs = (bytes: Buffer) => bytes;
  /** The status of a health check, and of the question which services there are. */
  const asked = async (address: string, how = credentials.createInsecure()) => {
    const client = new Client(address, how, { 'grpc.use_local_subchannel_pool': 1 });
    const health = new Promise<number>((resolve) => {
      client.makeUnaryRequest('/grpc.health.v1.Health/Check', asIs, asIs, Buffer.alloc(0), (error) => resolve(error?.code ?? 0));
    });
    const services = new Promise<number>((resolve) => {
      const stream = client.makeBidiStreamRequest('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', asIs, asIs);
      stream.on('data', () => { resolve(0); stream.end(); }).on('error', ({ code }: Error & { code: number }) => resolve(code));
      stream.write(Buffer.from([0x3a, 0]));
    });
    const found = { health: await health, reflection: await services };
    client.close();
    return found;
  };

  it('are for those who may do something; health for everybody by a socket of this host', async () => {
    const guarded = await openServing('test', {
      access: '[[allow]]\nlistener = "tcp"\nrights = "read"\n', tls: 'require_client_certificate = false',
    });
    try {
      const read = (name: string) => readFile(join(guarded.pki, name));
      const tls = new URL(guarded.uris.tls).host.replace('127.0.0.1', 'localhost');
      const [ca, key, certificate] = [await read('ca.pem'), await read('client-key.pem'), await read('client.pem')];
      const listed = () => asked(tls, credentials.createSsl(ca, key, certificate));
      const socket = (name: string) => `unix:${join(guarded.root, 'run/vnet', name)}`;
      expect(await asked(socket('vnet.sock'))).toEqual({ health: 0, reflection: 0 });
      expect(await asked(new URL(guarded.uris.tcp).host)).toEqual({ health: 0, reflection: 0 });
      expect(await listed()).toEqual({ health: 7, reflection: 7 });
      expect(await asked(tls, credentials.createSsl(ca))).toEqual({ health: 16, reflection: 16 });
      const denied = await until('the audit', async () => guarded.daemon.log.find(({ audit: line, procedure, who }) => line === true && procedure === 'ServerReflectionInfo' && who === 'CN=client'));
      expect(denied).toMatchObject({ event: 'refused', code: 'ACCESS_DENIED', listener: 'tls', hint: expect.stringContaining('connect:getattr') });
      await writeFile(join(guarded.root, 'etc/vnet/access.toml'), '[[allow]]\nsubject = "CN=client"\nrights = ["connect:getattr"]\n');
      await until('the new table', async () => (await listed()).health === 0);
      expect(await listed()).toEqual({ health: 0, reflection: 0 });
      expect(await asked(tls, credentials.createSsl(ca))).toEqual({ health: 16, reflection: 16 });
    } finally {
      await guarded.close();
    }
  });
});
