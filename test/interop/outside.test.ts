/**
 * A daemon as those who run it see it: metrics, health, request ids, what it
 * says of the Node it runs on, and what a limit of calls looks like to a client.
 */
import { readdir, stat, writeFile } from 'node:fs/promises';
import { connect as connectSocket, type Socket } from 'node:net';
import { join } from 'node:path';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../client/connect.js';
import { ErrorCode } from '../../shared/errors.js';
import { ErrorInfo } from '../../shared/gen/google/rpc/error_details.js';
import { Status } from '../../shared/gen/google/rpc/status.js';
import { NetworkCreateRequest, NetworkDumpXmlRequest, NetworkLookupByNameRequest, Severity } from '../../shared/gen/vnet/v1/network_driver.js';
import { nodeComplaint } from '../../server/limits/node-release.js';
import { fetchText, parseMetrics, scrape } from '../metrics.js';
import { openFolder, startDaemon, until } from '../processes.js';
import { openServing, type Serving } from '../serving.js';
import { callFrame, FrameClient } from '../session-server.js';

let serving: Serving;
beforeAll(async () => {
  serving = await openServing('test', { more: `[limits]
calls_per_connection = 5
calls = 8
response_bytes = 1024
message_bytes = 4096
[metrics]
listen = "127.0.0.1:0"
` });
});
afterAll(() => serving?.close());

const bytes = (value: Buffer) => value;
const rawClient = (root = serving.root) => new Client(`unix:${join(root, 'run/vnet/vnet.sock')}`, credentials.createInsecure());

/** A call as bytes, with metadata of its own. */
function call(client: Client, path: string, request: Uint8Array, metadata = new Metadata()): Promise<{ error?: ServiceError; response?: Buffer }> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, bytes, bytes, Buffer.from(request), metadata, (error, response) => resolve(error === null ? { response: response! } : { error }));
  });
}

function infoOf(error: ServiceError): { reason: string; metadata: Record<string, string> } {
  const [detail] = error.metadata.get('grpc-status-details-bin') as Buffer[];
  const info = Status.decode(detail!).details.find(({ typeUrl }) => typeUrl.endsWith('ErrorInfo'));
  return ErrorInfo.decode(info!.value) as { reason: string; metadata: Record<string, string> };
}

describe('metrics', () => {
  it('move as calls are made, and tell who is connected', async () => {
    const before = await scrape(serving.daemon);
    const { driver, close } = await connect(serving.uris.tls);
    for (let i = 0; i < 7; i += 1) await driver.numOfNetworks({});
    await expect(driver.networkLookupByName({ name: 'none' })).rejects.toMatchObject({ code: ErrorCode.NO_NETWORK });
    await driver.networkCreate({ network: { name: 'private', uuid: '' } });
    const { value, all } = await scrape(serving.daemon);
    const moved = (name: string, labels: Record<string, string>) => value(name, labels) - before.value(name, labels);
    expect(moved('vnetd_calls_total', { method: 'NumOfNetworks', code: 'OK' })).toBe(7);
    expect(moved('vnetd_calls_total', { method: 'NetworkLookupByName', code: 'NO_NETWORK' })).toBe(1);
    expect(moved('vnetd_call_seconds_count', { method: 'NumOfNetworks' })).toBe(7);
    expect(value('vnetd_connections', { listener: 'tls' })).toBe(1);
    expect(moved('vnetd_connections_total', {})).toBe(1);
    expect(moved('vnetd_networks', { state: 'active' })).toBe(1);
    expect(moved('vnetd_events_total', { kind: 'STARTED' })).toBe(1);
    expect(value('vnetd_leases', { network: 'default' })).toBe(2);
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(20e6);
    expect(value('process_open_fds')).toBeGreaterThan(10);
    expect([...all.keys()]).toEqual(expect.arrayContaining(['vnetd_build_info', 'vnetd_repairs_total', 'vnetd_event_lag', 'vnetd_event_watchers', 'vnetd_refused_total', 'process_cpu_seconds_total']));
    await driver.networkDestroy({ network: { name: 'private', uuid: '' } });
    await close();
    await until('the connection is gone', async () => (await scrape(serving.daemon)).value('vnetd_connections', { listener: 'tls' }) === 0);
  });

  it('tell of a session whose client does not take what it asks for, until it does', async () => {
    const roomy = await openServing('test', { more: '[metrics]\nlisten = "127.0.0.1:0"\n' });
    const client = new FrameClient(roomy.uris.unix);
    const held = async () => { const { value } = await scrape(roomy.daemon); return [value('vnetd_sessions', {}), value('vnetd_sessions_held', {}), value('vnetd_session_calls_waiting', {})]; };
    client.send(callFrame(1, 'NumOfNetworks'));
    await client.frame('response');
    expect(await held()).toEqual([1, 0, 0]);
    client.stream.pause();
    const request = NetworkDumpXmlRequest.encode({ network: { name: 'default', uuid: '' }, inactive: false }).finish();
    for (let first = 2; first < 4002; first += 100) client.send(...Array.from({ length: 100 }, (_, i) => callFrame(first + i, 'NetworkDumpXml', request)));
    const waiting = await until('it is held', async () => { const [, is, calls] = await held(); return is === 1 && calls! > 0 && calls; });
    expect(waiting).toBeGreaterThan(10);
    client.stream.resume();
    await client.frame('response', ({ call: id }) => id === 4001);
    await until('it is not', async () => { const [sessions, is, calls] = await held(); return sessions === 1 && is === 0 && calls === 0; });
    client.close();
    await until('it is gone', async () => (await held())[0] === 0);
    await roomy.close();
  });

  it('are to be had by nothing but GET /metrics', async () => {
    const address = new URL(serving.daemon.log.find(({ msg }) => msg === 'metrics')!['address'] as string);
    expect((await fetchText(new URL('/', address).href)).status).toBe(404);
    const response = await fetch(address, { method: 'POST' });
    expect(response.status).toBe(405);
    expect((await fetchText(address.href)).type).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  it('can be read on a unix socket, and are refused to a network', async () => {
    const folder = await openFolder();
    const socketPath = join(folder.path, 'metrics.sock');
    const config = join(folder.path, 'c.toml');
    await writeFile(config, `[metrics]\nlisten = "unix:${socketPath}"\n`);
    const daemon = await startDaemon(['--root', folder.path, '--driver', 'test', '--config', config]);
    expect((await stat(socketPath)).mode & 0o777).toBe(0o660);
    expect(parseMetrics((await fetchText({ socketPath, path: '/metrics' })).text).get('vnetd_build_info')).toBeDefined();
    expect(await daemon.stop()).toBe(0);
    await writeFile(config, '[metrics]\nlisten = "0.0.0.0:0"\n');
    await expect(startDaemon(['--root', folder.path, '--driver', 'test', '--config', config])).rejects.toThrow(/metrics\.open_to_network/);
    await folder.close();
  });
});

describe('a call', () => {
  it('bears the same name in the log and in its error, and the name that its caller gave it', async () => {
    const client = rawClient();
    const metadata = new Metadata();
    metadata.set('x-request-id', 'build-7/step:3');
    const { error } = await call(client, '/vnet.v1.NetworkDriver/NetworkLookupByName', NetworkLookupByNameRequest.encode({ name: 'none' }).finish(), metadata);
    const { reason, metadata: told } = infoOf(error!);
    expect({ reason, request: told['request'] }).toEqual({ reason: 'NO_NETWORK', request: 'build-7/step:3' });
    const line = await until('its line', async () => serving.daemon.log.find((each) => each['call'] === told['call']));
    expect(line).toMatchObject({ procedure: 'NetworkLookupByName', request: 'build-7/step:3', code: 'NO_NETWORK' });
    // So does the audit, of what changes something.
    await call(client, '/vnet.v1.NetworkDriver/NetworkCreate', NetworkCreateRequest.encode({ network: { name: 'none', uuid: '' } }).finish(), metadata);
    await until('its records', async () => serving.daemon.log.filter((each) => each['audit'] === true && each['request'] === 'build-7/step:3').length === 2);
    // What could forge a line of a log is no name.
    metadata.set('x-request-id', 'a b"c');
    const again = await call(client, '/vnet.v1.NetworkDriver/NetworkLookupByName', NetworkLookupByNameRequest.encode({ name: 'none' }).finish(), metadata);
    expect(infoOf(again.error!).metadata).not.toHaveProperty('request');
    client.close();
  });

  it('that is one too many is refused by name, and the others go on', async () => {
    const client = rawClient();
    const watch = () => {
      const stream = client.makeServerStreamRequest('/vnet.v1.NetworkDriver/WatchNetworkEvents', bytes, bytes, Buffer.alloc(0));
      const outcome = new Promise<ServiceError | 'begun'>((resolve) => stream.once('data', () => resolve('begun')).on('error', (error) => resolve(error as ServiceError)));
      return { stream, outcome };
    };
    const watches = Array.from({ length: 5 }, watch);
    expect(await Promise.all(watches.map(({ outcome }) => outcome))).toEqual(Array(5).fill('begun'));
    const error = await watch().outcome as ServiceError;
    expect(error).toMatchObject({ code: 8, details: expect.stringContaining('5 calls of this connection are being answered') });
    expect(infoOf(error)).toMatchObject({ reason: 'RESOURCE_BUSY', metadata: { hint: expect.stringContaining('limits.calls_per_connection') } });
    // Others have room for as many as there are in all.
    const other = await connect(serving.uris.tcp);
    await other.driver.numOfNetworks({});
    const third = new Client(new URL(serving.uris.tcp).host, credentials.createInsecure());
    const more = Array.from({ length: 4 }, () => third.makeServerStreamRequest('/vnet.v1.NetworkDriver/WatchNetworkEvents', bytes, bytes, Buffer.alloc(0)));
    const ends = await Promise.all(more.map((stream) => new Promise<string>((resolve) => stream.once('data', () => resolve('begun')).on('error', (e) => resolve((e as ServiceError).details)))));
    expect(ends.filter((end) => end === 'begun')).toHaveLength(3);
    expect(ends.find((end) => end !== 'begun')).toContain('8 calls are being answered');
    const { value } = await scrape(serving.daemon);
    expect(value('vnetd_refused_total', { what: 'call refused', limit: 'calls_per_connection' })).toBe(1);
    expect(value('vnetd_refused_total', { what: 'call refused', limit: 'calls' })).toBe(1);
    expect(value('vnetd_calls_in_flight')).toBe(8);
    for (const { stream } of watches) stream.on('error', () => undefined).cancel();
    for (const stream of more) stream.on('error', () => undefined).cancel();
    await until('room again', async () => (await scrape(serving.daemon)).value('vnetd_calls_in_flight') === 0);
    await expect(other.driver.numOfNetworks({})).resolves.toEqual({ count: 1 });
    await other.close();
    client.close();
    third.close();
  });

  it('T10: with too large a request or answer is refused by name', async () => {
    const client = rawClient();
    const large = await call(client, '/vnet.v1.NetworkDriver/NetworkDefineXml', Buffer.alloc(5000));
    expect(large.error).toMatchObject({ code: 8, details: expect.stringMatching(/larger than max \(5000 vs 4096\)/i) });
    const hosts = Array.from({ length: 20 }, (_, i) => `<host mac='52:54:00:00:00:${String(10 + i)}' ip='10.9.0.${10 + i}'/>`);
    const { driver, close } = await connect(serving.uris.unix);
    await driver.networkDefineXml({ xml: `<network><name>long</name><ip address='10.9.0.1' netmask='255.255.255.0'><dhcp>${hosts.join('')}</dhcp></ip></network>`, validate: false });
    const { error } = await call(client, '/vnet.v1.NetworkDriver/NetworkDumpXml', NetworkDumpXmlRequest.encode(NetworkDumpXmlRequest.fromPartial({ network: { name: 'long', uuid: '' } })).finish());
    expect(infoOf(error!)).toMatchObject({ reason: 'RESOURCE_BUSY', metadata: { hint: expect.stringContaining('limits.response_bytes') } });
    await close();
    client.close();
  });
});

describe('health', () => {
  it('is told for the daemon and for the driver, and that it ends', async () => {
    const folder = await openFolder();
    const daemon = await startDaemon(['--root', folder.path, '--driver', 'test']);
    const client = rawClient(folder.path);
    const ask = (service: string) => Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
    for (const service of ['', 'vnet.v1.NetworkDriver']) expect((await call(client, '/grpc.health.v1.Health/Check', ask(service))).response).toEqual(Buffer.from([8, 1]));
    expect((await call(client, '/grpc.health.v1.Health/Check', ask('other'))).error).toMatchObject({ code: 5 });
    const told: number[] = [];
    const watch = client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', bytes, bytes, ask('vnet.v1.NetworkDriver'));
    watch.on('data', (message: Buffer) => told.push(message[1]!)).on('error', () => undefined);
    await until('serving', async () => told.length === 1);
    const ended = daemon.stop();
    await until('not serving', async () => told.length === 2);
    expect(told).toEqual([1, 2]);
    expect(await ended).toBe(0);
    client.close();
    await folder.close();
  });
});

describe('an old Node', () => {
  it('T14: is told of by the log and by the doctor where the daemon listens on a network', async () => {
    const { driver, close } = await connect(serving.uris.unix, {});
    const version = (await scrape(serving.daemon)).all.get('vnetd_build_info')!.samples[0]!.labels['node']!;
    const finding = (await driver.diagnose({ network: undefined })).findings.find(({ check }) => check === 'node');
    const complaint = nodeComplaint(version);
    expect(finding).toMatchObject(complaint === undefined ? { severity: Severity.OK } : { severity: Severity.WARNING, message: complaint.message, advice: complaint.advice });
    expect(serving.daemon.log.some(({ msg }) => complaint !== undefined && msg === complaint.message)).toBe(complaint !== undefined);
    await close();
  });
});

describe('a process with few descriptors', () => {
  it('T15: answers its own people while a network takes all it can get', async () => {
    const folder = await openFolder();
    const config = join(folder.path, 'c.toml');
    await writeFile(config, '[tcp]\nenabled = true\nport = 0\n[limits]\nconnections_per_address = 100000\nfirst_call_seconds = 600\n');
    const daemon = await startDaemon(['--root', folder.path, '--driver', 'test', '--config', config], ['sh', '-c', 'ulimit -n 200; exec "$0" "$@"', process.execPath]);
    const { port } = new URL(daemon.uris['tcp']!);
    const sockets: Socket[] = [];
    for (let i = 0; i < 1000; i += 1) sockets.push(connectSocket(Number(port), '127.0.0.1').on('error', () => undefined));
    await until('many are refused', async () => sockets.filter(({ destroyed }) => destroyed).length > 500);
    const open = (await readdir(`/proc/${daemon.process.pid}/fd`)).length;
    expect(open).toBeLessThan(150);
    for (let i = 0; i < 20; i += 1) {
      const started = performance.now();
      const { driver, close } = await connect(daemon.uris['unix']!);
      await driver.numOfNetworks({});
      await close();
      expect(performance.now() - started).toBeLessThan(5000);
    }
    for (const socket of sockets) socket.destroy();
    expect(await daemon.stop()).toBe(0);
    await folder.close();
  }, 60_000);
});
