/** A driver as one caller may see it: what is hidden is not there, to the byte, and stays hidden whatever happens meanwhile. */
import { describe, expect, it } from 'vitest';
import { guardDriver } from '../../../server/access/guard.js';
import { Rights } from '../../../server/access/rights.js';
import { parseTable } from '../../../server/access/table.js';
import { openTestDriver } from '../../../server/driver/test-driver.js';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { EventKind, type WatchNetworkEventsResponse } from '../../../shared/gen/vnet/v1/network_driver.js';
import { as, serve } from './calling.js';

const limited = '[[allow]]\ntoken = "x"\nnetworks = "lab-*"\nrights = "all"\n';
const vault = 'bbbbbbbb-0000-4000-8000-000000000002';
const document = (name: string, uuid?: string, subnet = '10.9.1.1') =>
  `<network><name>${name}</name>${uuid === undefined ? '' : `<uuid>${uuid}</uuid>`}<ip address='${subnet}' netmask='255.255.255.0'/></network>`;
const who = as.token('x');

/** A driver behind the table, with a network `vault` that runs. */
async function serveVault() {
  const served = await serve(limited);
  await served.driver.networkCreateXml({ xml: document('vault', vault), validate: false });
  return served;
}

describe('a hidden network', () => {
  it.each([
    ['networkLookupByName', (name: string) => ({ name })],
    ['networkLookupByUuid', (_: string, uuid: string) => ({ uuid })],
    ['networkDumpXml', (name: string) => ({ network: { name, uuid: '' } })],
    ['networkDumpXml', (_: string, uuid: string) => ({ network: { name: '', uuid: uuid.toUpperCase() } })],
    ['networkDestroy', (_: string, uuid: string) => ({ network: { name: 'lab-x', uuid } })],
    ['networkPortDelete', (name: string) => ({ port: { network: { name, uuid: '' }, uuid: 'nonsense' } })],
    ['networkPortLookupByUuid', (_: string, uuid: string) => ({ network: { name: '', uuid }, uuid })],
    ['diagnose', (name: string) => ({ network: { name, uuid: '' } })],
    ['getStatus', (name: string) => ({ network: { name, uuid: '' } })],
    ['watchNetworkEvents', (name: string) => ({ network: { name, uuid: '' } })],
    ['watchNetworkEvents', (_: string, uuid: string) => ({ network: { name: '', uuid } })],
  ])('T21: is to %s what a network is that nobody has', async (key, requestAbout) => {
    const served = await serveVault();
    const other = vault.replace('b', 'd');
    const hidden = await served.call(who, key, requestAbout('vault', vault));
    const unknown = await served.call(who, key, requestAbout('cellar', other));
    const asUnknown = (bytes: Buffer) => bytes.toString('latin1').replaceAll('cellar', 'vault').replaceAll(other, vault);
    expect(hidden.error?.code).toBe(ErrorCode.NO_NETWORK);
    const words = ({ error }: typeof hidden) => JSON.stringify([error!.code, error!.message, error!.hint, error!.problems]);
    expect(words(hidden)).toBe(asUnknown(Buffer.from(words(unknown))));
  });

  it('is to a stream that goes on what a network is that is gone', async () => {
    const served = await serveVault();
    const { answer } = await served.call(who, 'watchNetworkEvents', {});
    const { epoch } = answer as unknown as WatchNetworkEventsResponse;
    for (const uuid of [vault, vault.replace('b', 'd')]) {
      const { answer: first, error } = await served.call(who, 'watchNetworkEvents', { network: { name: '', uuid }, epoch, after: 0 });
      expect({ kind: first?.['kind'], code: error?.code }).toEqual({ kind: EventKind.SUBSCRIBED, code: ErrorCode.OPERATION_ABORTED });
    }
  });

  it('T21: is not named by an error or an event about a clash with it', async () => {
    const served = await serveVault();
    await served.call(who, 'networkDefineXml', { xml: document('lab-a') });
    const started = await served.call(who, 'networkCreate', { network: { name: 'lab-a', uuid: '' } });
    expect(started.error).toMatchObject({ code: ErrorCode.INTERNAL_ERROR, message: 'internal error: it clashes with a network that you may not see' });
    const whole = await served.driver.networkCreate({ network: { name: 'lab-a', uuid: '' } }).catch((error: Error) => error.message);
    expect(whole).toMatch(/interface virbr2 of network 'vault'/);
    // What failed is told to those who watch, too.
    const { bytes, answer } = await served.call(who, 'watchNetworkEvents', {});
    expect(answer).toMatchObject({ kind: EventKind.SUBSCRIBED, partial: true });
    const { epoch } = answer as unknown as WatchNetworkEventsResponse;
    const past = await served.call(who, 'watchNetworkEvents', { epoch, after: 1 });
    expect(past.bytes.includes('it clashes with a network that you may not see')).toBe(true);
    expect(Buffer.concat([bytes, past.bytes]).includes('vault')).toBe(false);
  });

  it('is told of to those who may see it', async () => {
    const served = await serveVault();
    const { answer } = await served.call(as.nobody('unix'), 'watchNetworkEvents', {});
    expect(answer!['partial']).toBeUndefined();
    const { bytes } = await served.call(as.nobody('unix'), 'watchNetworkEvents', { epoch: answer!['epoch'], after: 1 });
    expect(bytes.includes('vault')).toBe(true);
  });
});

describe('a network that may be seen', () => {
  it('but not be used says which permission is missing, and to whom', async () => {
    const served = await serve('[[allow]]\ntoken = "x"\nrights = "read"\n[[allow]]\ntoken = "x"\nnetworks = "other"\nrights = "all"');
    const { error } = await served.call(who, 'networkDestroy', { network: { name: 'default', uuid: '' } });
    expect(error).toMatchObject({
      code: ErrorCode.ACCESS_DENIED, message: "access denied: NetworkDestroy on network 'default'",
      hint: "it needs network:stop on network 'default', which token x does not have; 'vnet whoami' shows what you may do, and /etc/vnet/access.toml on the host grants it",
    });
    expect((await served.driver.networkIsActive({ network: { name: 'default', uuid: '' } })).active).toBe(true);
  });

  it('can have its live definition changed by those who may not save one', async () => {
    const served = await serve('[[allow]]\ntoken = "x"\nrights = ["read", "network:write"]');
    const code = async (flags: object) => (await served.call(who, 'networkSetMetadata', { network: { name: 'default', uuid: '' }, type: 2, metadata: 'title', ...flags })).error?.code;
    expect(await code({ live: true })).toBeUndefined();
    expect(await code({ config: true })).toBe(ErrorCode.ACCESS_DENIED);
    expect(await code({ live: true, config: true })).toBe(ErrorCode.ACCESS_DENIED);
    expect(await code({})).toBe(ErrorCode.ACCESS_DENIED);
  });
});

describe('rights that change', () => {
  it('T21: hold for the next event of a stream', async () => {
    const driver = await openTestDriver();
    const [some, none] = [limited, ''].map((toml) => new Rights(parseTable(toml, 't')));
    let rights = some!;
    const guarded = guardDriver(driver, { who: 'x', rights: () => rights });
    const events = guarded.watchNetworkEvents({ network: undefined, kinds: [], epoch: '', after: 0 })[Symbol.asyncIterator]();
    expect((await events.next()).value).toMatchObject({ kind: EventKind.SUBSCRIBED });
    const next = events.next();
    await driver.networkDefineXml({ xml: document('vault'), validate: false });
    await driver.networkDefineXml({ xml: document('lab-a'), validate: false });
    expect((await next).value).toMatchObject({ kind: EventKind.DEFINED, network: { name: 'lab-a' } });
    rights = none!;
    const after = events.next();
    await driver.networkDefineXml({ xml: document('lab-b'), validate: false });
    await expect(after).rejects.toMatchObject({ code: ErrorCode.ACCESS_DENIED });
  });

  it('cost those nothing who have all', async () => {
    const served = await serve('');
    const call = (key: string, responseStream: boolean, listener: 'unix' | 'tls') =>
      served.access.guard(served.driver, { procedure: { service: 'NetworkDriver', key, name: key, responseStream }, identity: { kind: 'socket', name: '' }, connection: { listener } } as never);
    expect(call('networkCreate', false, 'unix')).toBe(served.driver);
    expect(call('watchNetworkEvents', true, 'unix')).not.toBe(served.driver);
    expect(call('networkCreate', false, 'tls')).not.toBe(served.driver);
  });
});

describe('between the decision and the deed', () => {
  it('T22: a UUID that passes to another network is not followed, however the two race', async () => {
    const driver = await openTestDriver();
    const rights = new Rights(parseTable(limited, 't'));
    const guarded = guardDriver(driver, { who: 'x', rights: () => rights });
    const touched: string[] = [];
    // Which network is really changed, at the last moment at which it can be known.
    const journal = driver.watchNetworkEvents({ network: undefined, kinds: [EventKind.METADATA_CHANGED], epoch: '', after: 0 })[Symbol.asyncIterator]();
    await journal.next();
    const following = (async () => {
      for (;;) {
        const { value } = await journal.next();
        if (value === undefined) return;
        touched.push((value as WatchNetworkEventsResponse).network!.name);
      }
    })();
    void following;
    const outcomes = new Set<string>();
    const ours = async (i: number) => {
      for (let k = 0; k < i % 7; k += 1) await Promise.resolve();
      await guarded.networkSetMetadata({ network: { name: '', uuid: vault }, type: 1, metadata: `${i}`, key: '', uri: '', live: false, config: true })
        .then(() => outcomes.add('done'), (error: NetworkError) => outcomes.add(ErrorCode[error.code]!));
    };
    for (let i = 0; i < 10_000; i += 5) {
      const name = (i / 5) % 2 === 0 ? 'lab-a' : 'vault';
      await driver.networkDefineXml({ xml: document(name, vault), validate: false });
      const swap = (async () => {
        for (let k = 0; k < i % 11; k += 1) await Promise.resolve();
        await driver.networkUndefine({ network: { name: '', uuid: vault } });
        await driver.networkDefineXml({ xml: document(name === 'vault' ? 'lab-a' : 'vault', vault), validate: false });
      })();
      await Promise.all([swap, ...[0, 1, 2, 3, 4].map((n) => ours(i + n))]);
      await driver.networkUndefine({ network: { name: '', uuid: vault } });
    }
    await new Promise((resolve) => setImmediate(resolve));
    // Both sides won now and then.
    expect([...outcomes].sort()).toEqual(['NO_NETWORK', 'done']);
    expect(new Set(touched)).toEqual(new Set(['lab-a']));
  }, 120_000);
});
