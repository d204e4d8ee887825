/** The object API, against the test driver. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Connection, openConnection } from '../../../client/connection.js';
import { Network } from '../../../client/network.js';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { fakeDriver, fakeNetwork } from '../cli/fake-driver.js';

const uuid = '00000000-1111-4222-8333-444444444444';
const document = `<network><name>lab</name><uuid>${uuid}</uuid><bridge name='lab0'/><ip address='10.9.0.1' prefix='24'/></network>`;

let connection: Connection;
beforeEach(async () => { connection = await openConnection('test:///default'); });
afterEach(() => connection.close());

const refusal = async (call: Promise<unknown>) => {
  const error: unknown = await call.then(() => undefined, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(NetworkError);
  return ErrorCode[(error as NetworkError).code];
};

describe('a connection', () => {
  it('knows where it leads', async () => {
    expect(connection.uri).toBe('test:///default');
    expect(await connection.describe()).toMatchObject({ driver: 'test', version: expect.stringMatching(/^\d/) });
    expect(await connection.hostname()).toBe((await connection.describe()).hostname);
  });

  it('finds networks by name, by UUID in any spelling, and by either', async () => {
    const { network } = await connection.defineXml(document);
    expect(network).toMatchObject({ name: 'lab', uuid });
    for (const found of [
      await connection.lookupByName('lab'), await connection.lookupByUuid(uuid.replaceAll('-', '').toUpperCase()),
      await connection.lookup('lab'), await connection.lookup(uuid.toUpperCase()),
    ]) expect(found).toMatchObject({ name: 'lab', uuid });
    expect(await refusal(connection.lookupByName(uuid))).toBe('NO_NETWORK');
    expect(await refusal(connection.lookup('nope'))).toBe('NO_NETWORK');
    expect(await refusal(connection.lookupByUuid('lab'))).toBe('INVALID_ARG');
  });

  it('takes a network whose name is a UUID by that name', async () => {
    await connection.defineXml(`<network><name>${uuid}</name></network>`);
    expect((await connection.lookup(uuid)).name).toBe(uuid);
  });

  it('lists networks with what a table shows, as filtered', async () => {
    await connection.createXml(document);
    const names = async (filter = {}) => (await connection.listAllNetworks(filter)).map(({ network }) => network.name);
    expect(await names()).toEqual(['default', 'lab', 'private']);
    expect(await names({ active: false })).toEqual(['private']);
    expect(await names({ persistent: false })).toEqual(['lab']);
    expect(await names({ active: true, autostart: true })).toEqual(['default']);
    const [info] = await connection.listAllNetworks({ persistent: false });
    expect(info).toEqual({
      network: expect.any(Network), active: true, persistent: false, autostart: false, bridge: 'lab0', mode: 'isolated', addresses: ['10.9.0.1/24'],
    });
  });

  it('gives the warnings of a document, or refuses it if asked to validate', async () => {
    const odd = document.replace('<ip', '<odd/><ip');
    expect((await connection.defineXml(odd)).warnings).toEqual([expect.stringContaining('odd')]);
    expect(await refusal(connection.defineXml(odd, { validate: true }))).toBe('XML_INVALID_SCHEMA');
    expect(await refusal(connection.createXml('<network/>'))).toBe('NO_NAME');
  });

  it('is closed by its block', async () => {
    let closed = 0;
    {
      await using inner = new Connection({ uri: 'x', driver: fakeDriver(fakeNetwork('lab')), close: async () => { closed++; } });
      expect((await inner.lookup('lab')).name).toBe('lab');
    }
    expect(closed).toBe(1);
  });

  it('refuses changes if it is read-only', async () => {
    await using readonly = await openConnection('test:///default', { readonly: true });
    expect(await refusal((await readonly.lookup('default')).destroy())).toBe('OPERATION_DENIED');
    expect(await (await readonly.lookup('default')).isActive()).toBe(true);
  });

  it('does not make up a network that an answer leaves out', async () => {
    const broken = new Connection({ uri: 'x', driver: { ...fakeDriver(), networkLookupByName: async () => ({}) } as never, close: async () => undefined });
    expect(await refusal(broken.lookupByName('lab'))).toBe('RPC');
  });
});

describe('a network', () => {
  it('lives from define to undefine', async () => {
    const { network } = await connection.defineXml(document);
    const state = async () => [await network.isActive(), await network.isPersistent(), await network.autostart()];
    expect(await state()).toEqual([false, true, false]);
    await network.start();
    await network.setAutostart(true);
    expect(await state()).toEqual([true, true, true]);
    expect(await network.bridgeName()).toBe('lab0');
    expect(await network.info()).toMatchObject({ active: true, autostart: true, bridge: 'lab0' });
    expect(await refusal(network.start())).toBe('OPERATION_INVALID');
    await network.undefine();
    expect(await state()).toEqual([true, false, false]);
    await network.destroy();
    expect(await refusal(network.info())).toBe('NO_NETWORK');
    expect(await refusal(network.dumpXml())).toBe('NO_NETWORK');
  });

  it('has a live and a saved definition', async () => {
    const { network } = await connection.defineXml(document);
    await network.start();
    await connection.defineXml(document.replace('10.9.0.1', '10.9.0.2'));
    expect(await network.dumpXml()).toContain('10.9.0.1');
    expect(await network.dumpXml({ inactive: true })).toContain('10.9.0.2');
  });

  it('has leases, of one guest if asked', async () => {
    const network = await connection.lookup('default');
    expect((await network.leases()).map(({ ipAddress, prefix, mac, hostname }) => [ipAddress, prefix, mac, hostname])).toEqual([
      ['192.168.122.41', 24, '52:54:00:10:20:41', 'web'], ['192.168.122.42', 24, '52:54:00:10:20:42', ''],
    ]);
    expect(await network.leases({ mac: '52:54:00:10:20:42' })).toMatchObject([{ ipAddress: '192.168.122.42', expiryTime: 0 }]);
    expect(await refusal(network.leases({ mac: 'no mac' }))).toBe('INVALID_MAC');
  });
});
