/**
 * Clients without code of their own against a running vnetd: buf curl that
 * knows nothing but reflection, proto-loader that reads the contract, a
 * standard health check. Those with generated code are in languages.test.ts.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { credentials, loadPackageDefinition, type ChannelCredentials, type Client } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openServing, type Serving } from '../serving.js';

const run = promisify(execFile);
const root = new URL('../..', import.meta.url).pathname;
const proto = join(root, 'proto');

let serving: Serving;
beforeAll(async () => {
  serving = await openServing('test');
});
afterAll(async () => {
  await serving?.close();
});

const socket = () => new URL(serving.uris.unix).searchParams.get('socket')!;
const port = () => new URL(serving.uris.tls).port;
const pem = (name: string) => join(serving.pki, `${name}.pem`);

describe('buf curl with reflection alone', () => {
  const buf = join(root, 'node_modules/.bin/buf');
  const ways: Record<string, () => { options: string[]; url: string }> = {
    'the unix socket': () => ({ options: ['--http2-prior-knowledge', '--unix-socket', socket()], url: 'http://localhost' }),
    TLS: () => ({ options: ['--cacert', pem('ca'), '--cert', pem('client'), '--key', pem('client-key')], url: `https://localhost:${port()}` }),
  };

  it.each(Object.keys(ways))('lists, defines, starts and stops over %s', async (way) => {
    const { options, url } = ways[way]!();
    const call = async (method: string, data: object) => {
      const { stdout } = await run(buf, ['curl', '--protocol', 'grpc', ...options, '-d', JSON.stringify(data), `${url}/vnet.v1.NetworkDriver/${method}`]);
      return JSON.parse(stdout) as Record<string, unknown>;
    };
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
  const ways: Record<string, () => Promise<{ address: string; how: ChannelCredentials }>> = {
    'the unix socket': async () => ({ address: `unix:${socket()}`, how: credentials.createInsecure() }),
    TLS: async () => {
      const [ca, key, certificate] = await Promise.all(['ca', 'client-key', 'client'].map((name) => readFile(pem(name))));
      return { address: `localhost:${port()}`, how: credentials.createSsl(ca!, key!, certificate!) };
    },
  };

  it.each(Object.keys(ways))('lists the networks over %s', async (way) => {
    const { address, how } = await ways[way]!();
    const loaded = loadPackageDefinition(loadSync('vnet/v1/network_driver.proto', { includeDirs: [proto] })) as unknown as
      { vnet: { v1: { NetworkDriver: new (address: string, creds: unknown) => Client & Record<string, Function> } } };
    const client = new loaded.vnet.v1.NetworkDriver(address, how);
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
