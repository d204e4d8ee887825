/** The audit: what is written down of whom, whatever they call themselves, and what happens when it cannot be. */
import { mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LineFile } from '../../../server/access/audit-file.js';
import { Audit, formatRecord, openAudit } from '../../../server/access/audit.js';
import { procedures } from '../../../server/calls.js';
import { openTestDriver } from '../../../server/driver/test-driver.js';
import { silentLog } from '../../../server/log.js';
import { ErrorCode } from '../../../shared/errors.js';
import { changes } from '../../../shared/procedures.js';
import { as, serve, type Served, type Someone } from './calling.js';

type Line = Record<string, unknown>;

let folder: string;
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'vnet-audit-')); });
afterEach(() => rm(folder, { recursive: true }));

/** A server whose audit is kept here. */
async function audited(toml: string, write?: (line: string) => void, required = false): Promise<Served & { lines: string[]; records(): Line[] }> {
  const lines: string[] = [];
  const driver = await openTestDriver();
  const audit = new Audit({ write: write ?? ((line) => { lines.push(line); }), required, log: silentLog, which: (handle) => driver.which(handle) });
  return Object.assign(await serve(toml, { driver, observers: [audit] }), { lines, records: () => lines.map((line) => JSON.parse(line) as Line) });
}

const all: Someone = as.nobody('unix');
const defaultUuid = 'd51c4a4e-2e1c-4bd1-9f0f-64b1f7f6a001';

describe('a changing call', () => {
  it('T34: has a record before and one after, with one call id, and says who, whence, what, on which network, and what came of it', async () => {
    const served = await audited('');
    const alice = as.unix(1000, 'alice', ['vnet']);
    await served.call(alice, 'networkDestroy', { network: { name: '', uuid: defaultUuid } });
    await served.call(alice, 'networkDestroy', { network: { name: 'default', uuid: '' } });
    const common = {
      audit: true, time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/), call: expect.any(String), who: 'alice (uid 1000)', kind: 'unix', uid: 1000, pid: 1,
      listener: 'unix', peer: expect.any(String), connection: 1, procedure: 'NetworkDestroy', network: 'default', uuid: defaultUuid,
    };
    const records = served.records();
    expect(records).toEqual([
      { ...common, event: 'intent' }, { ...common, event: 'result', code: 'OK', ms: expect.any(Number) },
      { ...common, event: 'intent' }, { ...common, event: 'result', code: 'OPERATION_INVALID', reason: expect.stringContaining('is not active'), ms: expect.any(Number) },
    ]);
    expect(records.map(({ call }) => records.findIndex((other) => other['call'] === call))).toEqual([0, 0, 2, 2]);
  });

  it('T34: of every procedure has two, and one that reads has none', async () => {
    for (const { key, name, options, responseStream } of procedures) {
      const served = await audited('[[allow]]\nlistener = "unix"\nrights = ["all", "admin"]');
      await served.call(all, key, { network: { name: 'default', uuid: '' }, name: 'default', uuid: defaultUuid, xml: '<network><name>n</name></network>', port: { network: { name: 'default', uuid: '' }, uuid: defaultUuid } });
      expect({ name, responseStream, events: served.records().map(({ event }) => event) })
        .toEqual({ name, responseStream, events: changes({ name, options }) ? ['intent', 'result'] : [] });
    }
  });

  it('names the network that a document defines, before and after', async () => {
    const served = await audited('');
    await served.call(all, 'networkDefineXml', { xml: '<network><!-- <name>other</name> --><name>lab</name></network>' });
    expect(served.records()).toMatchObject([{ event: 'intent', network: 'lab', uuid: null }, { event: 'result', network: 'lab', uuid: expect.stringMatching(/^[0-9a-f-]{36}$/) }]);
    await served.call(all, 'networkDefineXml', { xml: '<network>' });
    expect(served.records().slice(2)).toMatchObject([{ event: 'intent', network: null }, { event: 'result', code: 'XML_DETAIL' }]);
  });
});

describe('a refusal', () => {
  it('T34: has one record, also of a call that reads, and says of what is hidden what it was', async () => {
    const served = await audited('[[allow]]\ntoken = "x"\nnetworks = "lab-*"\nrights = "read"');
    const who = as.token('x');
    await served.call(who, 'networkCreate', { network: { name: 'default', uuid: '' } });
    await served.call(who, 'networkDumpXml', { network: { name: '', uuid: defaultUuid } });
    await served.call(as.nobody('unix-readonly'), 'networkUndefine', { network: { name: 'default', uuid: '' } });
    await served.call(as.nobody('tls'), 'open', {});
    await served.call(who, 'networkLookupByName', { name: 'no-such' });
    expect(served.records()).toMatchObject([
      { event: 'refused', procedure: 'NetworkCreate', who: 'token x', code: 'ACCESS_DENIED', hint: expect.stringContaining('network:start') },
      { event: 'refused', procedure: 'NetworkDumpXml', network: 'default', uuid: defaultUuid, code: 'NO_NETWORK' },
      { event: 'refused', procedure: 'NetworkUndefine', listener: 'unix-readonly', code: 'OPERATION_DENIED' },
      { event: 'refused', procedure: 'Open', listener: 'tls', code: 'ACCESS_DENIED' },
    ]);
  });

  it('before any call has one too', async () => {
    const served = await audited('');
    const audit = new Audit({ write: (line) => { served.lines.push(line); }, required: false, log: silentLog, which: () => { throw new Error(); } });
    audit.turnedAway({ listener: 'tls', peer: '198.51.100.7:1', reason: 'CN=eve is not listed', who: 'CN=eve' });
    expect(served.records()).toMatchObject([{ event: 'refused', listener: 'tls', peer: '198.51.100.7:1', who: 'CN=eve', code: 'AUTH_FAILED', reason: 'CN=eve is not listed' }]);
  });

  it('of very many before any call has twenty in a minute, and then how many more there were; others are not hidden by it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    try {
      const lines: string[] = [];
      const audit = new Audit({ write: (line) => { lines.push(line); }, required: false, log: silentLog, which: () => { throw new Error(); } });
      const flood = (times: number) => { for (let i = 0; i < times; i += 1) audit.turnedAway({ listener: 'tcp', peer: `198.51.100.7:${i}`, reason: 'limits.connections', greedy: true }); };
      const written = () => lines.splice(0).map((line) => JSON.parse(line) as Record<string, unknown>);
      flood(1000);
      audit.turnedAway({ listener: 'tls', peer: '198.51.100.8:1', reason: 'it shows no certificate' });
      const first = written();
      expect(first.map(({ code }) => code)).toEqual([...Array<string>(20).fill('RESOURCE_BUSY'), 'AUTH_FAILED']);
      expect(first[19]).toMatchObject({ event: 'refused', listener: 'tcp', peer: '198.51.100.7:19', reason: 'limits.connections' });
      vi.advanceTimersByTime(60_000);
      expect(written()).toMatchObject([{ event: 'refused', code: 'RESOURCE_BUSY', left_out: 980 }]);
      flood(3);
      vi.advanceTimersByTime(60_000);
      expect(written()).toHaveLength(3);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('hostile text', () => {
  const hostile = 'x\n{"audit":true,"event":"result","code":"OK"}\r\x1b]0;owned\x07\x7f\x9b31m\u2028\u202e\u0000\\"';
  it('T25: is one line of plain ASCII that means the same, wherever it stands', async () => {
    const served = await audited('');
    const who: Someone = { listener: 'tls', identity: { kind: 'certificate', name: hostile, certificate: { subject: [], alternativeNames: [], fingerprint: hostile } } };
    await served.setTable(`[[allow]]\nfingerprint = "${'ab'.repeat(32)}"\nrights = "all"\n[[allow]]\nlistener = "tls"\nrights = "all"`);
    await served.call(who, 'networkCreate', { network: { name: hostile, uuid: '' } });
    await served.call(who, 'networkCreate', { network: { name: '', uuid: hostile } });
    await served.call(who, 'networkDefineXml', { xml: `<network><name>${'y'.repeat(100)}</name><description>${hostile}</description>` });
    expect(served.lines).toHaveLength(6);
    for (const line of served.lines) expect(line).toMatch(/^\{[\x20-\x7e]*\}$/);
    expect(served.records()).toMatchObject([{ who: hostile, network: hostile }, { network: hostile }, { uuid: hostile }, { uuid: hostile }, {}, {}]);
  });

  it('is cut where it is long', () => {
    expect(formatRecord({ name: 'x'.repeat(5_000_000) }).length).toBeLessThan(400);
  });
});

describe('a file', () => {
  it('T33: is for its owner alone, grows, goes on where it is moved away, and follows no link', async () => {
    const path = join(folder, 'audit');
    const file = new LineFile(path);
    file.write('one');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await rename(path, `${path}.1`);
    file.write('two');
    file.reopen();
    file.write('three');
    file.close();
    new LineFile(path).write('four');
    expect([await readFile(`${path}.1`, 'utf8'), await readFile(path, 'utf8')]).toEqual(['one\ntwo\n', 'three\nfour\n']);
    await symlink(path, `${path}.link`);
    expect(() => new LineFile(`${path}.link`)).toThrow(/ELOOP/);
  });

  it('T34: that is full keeps changing calls from being done, if the audit is required, and no others', async () => {
    const told: object[] = [];
    const full = openAudit({ file: '/dev/full', required: true }, (line) => told.push(JSON.parse(line) as object), { log: silentLog, which: () => { throw new Error(); } });
    const driver = await openTestDriver();
    const served = await serve('', { driver, observers: [full.audit] });
    const network = { name: 'default', uuid: '' };
    const { error } = await served.call(all, 'networkDestroy', { network });
    expect(error).toMatchObject({
      code: ErrorCode.SYSTEM_ERROR, message: expect.stringMatching(/^NetworkDestroy is not done, because the audit cannot be written: ENOSPC/), hint: expect.stringMatching(/vnetd\.toml/),
    });
    expect((await driver.networkIsActive({ network })).active).toBe(true);
    expect((await served.call(all, 'networkDumpXml', { network, inactive: false })).error).toBeUndefined();
    // What does not fit in goes to the log.
    expect(told).toMatchObject([{ event: 'intent', procedure: 'NetworkDestroy' }, { event: 'result', code: 'SYSTEM_ERROR' }]);
    full.close();
  });

  it('that is full keeps nothing from being done, if it is not', async () => {
    const told: string[] = [];
    const { audit, close } = openAudit({ file: '/dev/full', required: false }, (line) => told.push(line), { log: silentLog, which: () => { throw new Error(); } });
    const served = await serve('', { observers: [audit] });
    expect((await served.call(all, 'networkDestroy', { network: { name: 'default', uuid: '' } })).error).toBeUndefined();
    expect(told).toHaveLength(2);
    close();
  });

  it('T34: must be there, if the audit is required', async () => {
    const options = { log: silentLog, which: () => { throw new Error(); } };
    expect(() => openAudit({ file: '', required: true }, () => undefined, options)).toThrow(/audit\.required needs audit\.file/);
    await writeFile(join(folder, 'file'), '');
    expect(() => openAudit({ file: join(folder, 'file/audit'), required: false }, () => undefined, options)).toThrow(/ENOTDIR/);
  });
});
