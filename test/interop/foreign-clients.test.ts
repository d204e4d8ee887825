/**
 * Clients of other makes against a running vnetd: Python code made from the
 * proto alone, buf curl that knows nothing but reflection, and proto-loader
 * without generated code.
 */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { credentials, loadPackageDefinition, type Client } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFolder, startDaemon, type Daemon } from '../processes.js';
import { writeAccess } from '../serving.js';
import { makeCertificates } from '../certificates.js';

const run = promisify(execFile);
const root = new URL('../..', import.meta.url).pathname;
const proto = join(root, 'proto');

const has = async (program: string, ...argv: string[]) => run(program, argv).then(() => true, () => false);
const python = await has('python3', '-c', 'import grpc, google.protobuf');
// Debian's python3-grpcio belongs to Debian's own interpreter.
const debianPython = await has('/usr/bin/python3', '-c', 'import grpc, google.protobuf');
const plugin = await has('sh', '-c', 'command -v protoc && command -v grpc_python_plugin && test -e /usr/include/google/protobuf/any.proto');

const folder = await openFolder();
const pki = join(folder.path, 'pki');
let daemon: Daemon;

beforeAll(async () => {
  await mkdir(pki);
  await makeCertificates(pki, { server: { subject: '/CN=server', san: 'DNS:localhost,IP:127.0.0.1' }, client: { subject: '/CN=client' } });
  const config = join(folder.path, 'vnetd.toml');
  await writeFile(config, [
    '[tls]', 'enabled = true', 'port = 0', `certificate = "${pki}/server.pem"`, `key = "${pki}/server-key.pem"`, `ca = "${pki}/ca.pem"`,
  ].join('\n'));
  await writeAccess(folder.path);
  daemon = await startDaemon(['--root', folder.path, '--driver', 'test', '--config', config]);
});
afterAll(async () => {
  await daemon?.stop();
  await folder.close();
});

const socket = () => join(folder.path, 'run/vnet/vnet.sock');
const tlsPort = () => new URL(daemon.uris['tls']!).port;

describe('a Python client made from the proto', () => {
  const interpreter = debianPython ? '/usr/bin/python3' : 'python3';
  const ways: [string, () => string[]][] = [
    ['over the unix socket', () => [`unix:${socket()}`]],
    ['over TLS', () => [`localhost:${tlsPort()}`]],
  ];
  it.skipIf(!(python || debianPython) || !plugin).each(ways)('lists, defines, starts and stops %s', async (way, address) => {
    const generated = join(folder.path, `python-${way.replaceAll(' ', '-')}`);
    await mkdir(generated);
    const { stdout: pluginPath } = await run('sh', ['-c', 'command -v grpc_python_plugin']);
    await run('protoc', ['-I', proto, `--python_out=${generated}`, `--grpc_python_out=${generated}`,
      `--plugin=protoc-gen-grpc_python=${pluginPath.trim()}`,
      ...['vnet/v1/network_driver.proto', 'vnet/v1/error.proto', 'google/rpc/status.proto', 'google/rpc/error_details.proto'].map((file) => join(proto, file))]);
    const certificates = way.endsWith('TLS') ? ['ca', 'client', 'client-key'].map((name) => join(pki, `${name}.pem`)) : [];
    const { stdout } = await run(interpreter, [join(root, 'test/interop/client.py'), ...address(), generated, ...certificates]);
    expect(stdout.trim().split('\n')).toEqual([
      'driver test',
      'defined from-python',
      'active from-python 10.78.1.1/24',
      'refused FAILED_PRECONDITION OPERATION_INVALID 55 Requested operation is not valid: network is already active',
      'gone NO_NETWORK',
    ]);
  });
});

describe('buf curl with reflection alone', () => {
  const buf = join(root, 'node_modules/.bin/buf');
  const call = async (method: string, data: object) => {
    const { stdout } = await run(buf, ['curl', '--protocol', 'grpc', '--http2-prior-knowledge', '--unix-socket', socket(),
      '-d', JSON.stringify(data), `http://localhost/vnet.v1.NetworkDriver/${method}`]);
    return JSON.parse(stdout) as Record<string, unknown>;
  };

  it('lists, defines, starts and stops', async () => {
    const { networks } = await call('ListAllNetworks', { active: true }) as { networks: { network: { name: string } }[] };
    expect(networks.map(({ network }) => network.name)).toEqual(['default']);
    const { network } = await call('NetworkDefineXml', { xml: '<network><name>from-buf</name></network>' });
    expect(network).toMatchObject({ name: 'from-buf' });
    await call('NetworkCreate', { network });
    expect(await call('NetworkIsActive', { network })).toEqual({ active: true });
    await call('NetworkDestroy', { network });
    await call('NetworkUndefine', { network });
    await expect(call('NetworkLookupByName', { name: 'from-buf' })).rejects.toThrow(/not_found[^]*no network with matching name/);
  });
});

describe('@grpc/proto-loader without generated code', () => {
  it('lists the networks', async () => {
    const loaded = loadPackageDefinition(loadSync('vnet/v1/network_driver.proto', { includeDirs: [proto] })) as unknown as
      { vnet: { v1: { NetworkDriver: new (address: string, creds: unknown) => Client & Record<string, Function> } } };
    const client = new loaded.vnet.v1.NetworkDriver(`unix:${socket()}`, credentials.createInsecure());
    const answer = await new Promise((resolve, reject) => {
      client['listNetworks']!({}, (error: Error | null, value: unknown) => (error ? reject(error) : resolve(value)));
    });
    // Its `close` is the RPC of that name.
    client.getChannel().close();
    expect(answer).toEqual({ names: ['default'] });
  });
});

describe('health', () => {
  it('is told to a standard health check', async () => {
    const healthProto = join(createRequire(import.meta.url).resolve('grpc-health-check/package.json'), '../proto/health/v1/health.proto');
    const loaded = loadPackageDefinition(loadSync(healthProto, { enums: String })) as unknown as
      { grpc: { health: { v1: { Health: new (address: string, creds: unknown) => Client & Record<string, Function> } } } };
    const client = new loaded.grpc.health.v1.Health(`unix:${socket()}`, credentials.createInsecure());
    const answer = await new Promise((resolve, reject) => {
      client['check']!({ service: 'vnet.v1.NetworkDriver' }, (error: Error | null, value: unknown) => (error ? reject(error) : resolve(value)));
    });
    client.close();
    expect(answer).toMatchObject({ status: 'SERVING' });
  });
});
