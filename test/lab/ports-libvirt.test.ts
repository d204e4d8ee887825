/**
 * What we make of a port's document, and what a network decides about it,
 * beside libvirt: the same requests to a libvirtd of our own and to the test
 * driver, on networks of every mode. Skipped where libvirtd or its Python
 * library is missing.
 */
import { spawnSync } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestDriver } from '../../server/driver/test-driver.js';
import { NetworkError } from '../../shared/errors.js';
import type { NetworkDriver } from '../../shared/gen/vnet/v1/network_driver.js';
import { openLibvirt, type Libvirt, type LibvirtAnswer } from '../libvirt.js';
import { openFolder } from '../processes.js';
import { runVnet } from '../unit/cli/run-vnet.js';
import { portDocument, portSamples, portUuid } from '../unit/definition/port-samples.js';
import { runProgram } from './lab.js';
import { listParameters, nameParameters } from '../../shared/port-parameters.js';

const available = spawnSync('libvirtd', ['--version'], { env: { ...process.env, PATH: `/usr/sbin:${process.env['PATH']}` } }).status === 0 &&
  spawnSync('/usr/bin/python3', ['-c', 'import libvirt']).status === 0;

const groups = `<portgroup name='gold' trustGuestRxFilters='yes'><bandwidth><inbound average='100' peak='200' burst='300'/><outbound average='55'/></bandwidth></portgroup>
  <portgroup name='usual' default='yes'><bandwidth><outbound average='77'/></bandwidth></portgroup>`;
const pool = "<interface dev='e0'/><interface dev='e1'/>";
const ip = "<ip address='10.81.1.1' netmask='255.255.255.0'/>";

/** The networks, between their name and their end. */
const networks: Record<string, string> = {
  isolated: `<bridge name='peer0'/>${ip}`,
  nat: `<forward mode='nat'/><bridge name='peer0'/><bandwidth><inbound average='1000' peak='2000' burst='1024'/></bandwidth>${ip}${groups}`,
  'route, average alone': `<forward mode='route'/><bridge name='peer0' macTableManager='kernel'/><bandwidth><inbound average='1000'/></bandwidth><port isolated='yes'/>${ip}`,
  open: `<forward mode='open'/><bridge name='peer0'/>${ip}${groups}`,
  'host bridge': "<forward mode='bridge'/><bridge name='peer0'/>",
  'host bridge of openvswitch': `<forward mode='bridge'/><bridge name='peer0'/><virtualport type='openvswitch'><parameters profileid='net'/></virtualport>
    <portgroup name='gold'><virtualport type='openvswitch'><parameters interfaceid='11111111-2222-4333-8444-555555555555'/></virtualport></portgroup>`,
  'macvtap bridge': `<forward mode='bridge'>${pool}</forward>`,
  'macvtap private': `<forward mode='private'>${pool}</forward>`,
  'macvtap vepa, trusting': `<network-trust/><forward mode='vepa'>${pool}</forward>`,
  passthrough: `<forward mode='passthrough'>${pool}</forward><vlan><tag id='42'/></vlan>`,
  'macvtap without a device': "<forward mode='bridge'/>",
};

function documentOf(inner: string): string {
  const trust = inner.includes('<network-trust/>') ? " trustGuestRxFilters='yes'" : '';
  const mac = /mode='(?:bridge|private|vepa|passthrough)'/.test(inner) ? '' : "<mac address='52:54:00:aa:bb:cc'/>";
  return `<network${trust}><name>n</name><uuid>3a7b1f0e-95d2-4c63-8b1e-0f6a2d9c4b57</uuid>${inner.replace('<network-trust/>', '')}${mac}</network>`;
}

const handle = { network: { name: 'n', uuid: '' }, uuid: portUuid };

/** Runs a call of ours, and tells of it as libvirt's answers are told. */
async function ours(call: Promise<unknown>): Promise<LibvirtAnswer> {
  try {
    return { ok: await call };
  } catch (error) {
    if (error instanceof NetworkError) return { code: error.code, error: error.message };
    throw error;
  }
}

/** The same outcome: one document but for a UUID that was made up, or one code. */
function same(theirs: LibvirtAnswer, mine: LibvirtAnswer): boolean {
  if (theirs.error !== undefined && theirs.code === undefined) return mine.error !== undefined;
  const normal = ({ ok, code }: LibvirtAnswer) => (code === undefined ? String(ok).replace(/(in(?:stance|terface)id)='[^']*'/g, '$1') : code);
  return normal(theirs) === normal(mine);
}

/** virsh's words where ours differ: each with its reason. */
function plain(words: string): string {
  return words
    // It speaks of a network where it means a port.
    .replace(/^(error: Failed to create network) port /m, '$1 ')
    // libvirt's words for the error that follow ours of the same kind.
    .replace(/^error: (?:this )?network port (?:exists already: )?(Network port .* already exists)(?: exists already)?$/m, '$1')
    .replace(/^(error: internal error: ).*owner.*$/m, '$1owner')
    // It does not say why, and reports success to its caller.
    .replace(/^(error: failed to get network port .*\n)error: .*\n/m, '$1')
    // We say what to do.
    .replace(/^hint: .*\n/gm, '');
}

/** What differs on purpose, each with its reason. */
const knownDifferences: [reason: string, is: RegExp][] = [
  ['a UUID that is missing is made up, and a warning says so', /: (no uuid|uuid = )$/],
  ['a multicast address is no guest\'s', /: mac = 01:00/],
  ['newer libvirt has another error for a bad number', /: <bandwidth( classID='x')?><inbound (average|floor)='(-1|1\.5|abc|99999999999999999999|5|)'/],
  ['a direction that limits nothing is not printed', /: <bandwidth><inbound (average|floor)='0'/],
  ['a port that is reclaimed is on the network\'s own bridge', /: reclaim <plug type='(network|bridge)' bridge='(peer0|other0|)'/],
];

describe.skipIf(!available)('ports beside libvirt\'s', () => {
  let libvirt: Libvirt;
  let driver: NetworkDriver;
  let folder: Awaited<ReturnType<typeof openFolder>>;
  const used = new Set<string>();
  const different: { label: string; theirs: LibvirtAnswer; mine: LibvirtAnswer }[] = [];

  beforeAll(async () => {
    folder = await openFolder();
    // What tc would do is not compared here, and some kernels lack the queues that libvirt wants.
    await writeFile(join(folder.path, 'tc'), '#!/bin/sh\nexit 0\n');
    await chmod(join(folder.path, 'tc'), 0o755);
    libvirt = await openLibvirt({ programs: folder.path });
    driver = await openTestDriver();
  }, 60_000);
  afterAll(async () => {
    await libvirt?.close();
    await folder?.close();
    await runProgram('nft', ['flush', 'ruleset']);
  });

  const begin = async (inner: string) => {
    const xml = documentOf(inner);
    await libvirt.ask('define', xml);
    await libvirt.ask('start', 'n');
    await driver.networkDefineXml({ xml, validate: false });
    await driver.networkCreate({ network: handle.network });
  };
  const end = async () => {
    await libvirt.ask('stop', 'n');
    await driver.networkDestroy({ network: handle.network, force: true });
    await driver.networkUndefine({ network: handle.network });
  };
  const create = async (xml: string, reclaim = false): Promise<[LibvirtAnswer, LibvirtAnswer]> => [
    await libvirt.tryPort('create-port', 'n', xml, reclaim ? 1 : 0),
    await ours(driver.networkPortCreateXml({ network: handle.network, xml, reclaim, validate: false, attachment: undefined }).then((answer) => answer.xml)),
  ];
  const dumps = async () => [await libvirt.ask('dump', 'n'), (await driver.networkDumpXml({ network: handle.network, inactive: false })).xml];
  const forget = async () => {
    for (const uuid of (await libvirt.tryPort('ports', 'n')).ok as string[]) await libvirt.tryPort('delete-port', 'n', uuid);
    for (const port of (await driver.networkListAllPorts({ network: handle.network })).ports) await driver.networkPortDelete({ port });
  };

  it.each(Object.entries(networks))('on a network: %s', async (mode, inner) => {
    await begin(inner);
    try {
      for (const { label, xml, reclaim } of portSamples) {
        const [theirs, mine] = await create(xml, reclaim);
        if (!same(theirs, mine)) different.push({ label: `${mode}: ${label}`, theirs, mine });
        await forget();
      }
    } finally {
      await end();
    }
    const unexplained = different.splice(0).filter(({ label }) => {
      const known = knownDifferences.find(([, is]) => is.test(label));
      if (known !== undefined) used.add(known[0]);
      return known === undefined;
    });
    expect(unexplained.map(({ label, theirs, mine }) => [label, theirs.error ?? theirs.ok, mine.error ?? mine.ok])).toEqual([]);
  }, 120_000);

  it('differs in every known difference', () => {
    expect(knownDifferences.map(([reason]) => reason).filter((reason) => !used.has(reason))).toEqual([]);
  });

  it.each(['macvtap bridge', 'macvtap private', 'passthrough', 'nat'])('gives devices and classes, and counts them, in the same order: %s', async (mode) => {
    await begin(networks[mode]!);
    try {
      const uuidOf = (n: number) => portUuid.replace(/..$/, n.toString(16).padStart(2, '0'));
      const request = (n: number, more = mode === 'nat' ? `<bandwidth><inbound floor='${n * 100}'/></bandwidth>` : '') =>
        portDocument(more, { uuid: `<uuid>${uuidOf(n)}</uuid>`, mac: `<mac address='52:54:00:00:00:${n.toString(16).padStart(2, '0')}'/>` });
      for (const step of [1, 2, 3, 4, 5, -2, 6, -1, -4, 7, 1, 8, 9, 10]) {
        if (step > 0) {
          const [theirs, mine] = await create(request(step));
          expect([step, mine.ok ?? mine.code]).toEqual([step, theirs.ok ?? theirs.code]);
        } else {
          const theirs = await libvirt.tryPort('delete-port', 'n', uuidOf(-step));
          const mine = await ours(driver.networkPortDelete({ port: { ...handle, uuid: uuidOf(-step) } }));
          expect([step, mine.code]).toEqual([step, theirs.code]);
        }
        const [theirs, mine] = await dumps();
        expect(mine).toBe(theirs);
      }
    } finally {
      await end();
    }
  }, 60_000);

  it('has the same errors in each state', async () => {
    await begin(networks['nat']!);
    const states: Record<string, [unknown, unknown][]> = {};
    const tell = async (state: string) => {
      const port = handle;
      const calls: [Parameters<Libvirt['tryPort']>, () => Promise<unknown>][] = [
        [['ports', 'n'], () => driver.networkListAllPorts({ network: handle.network })],
        [['dump-port', 'n', portUuid], () => driver.networkPortGetXmlDesc({ port })],
        [['port-parameters', 'n', portUuid], () => driver.networkPortGetParameters({ port })],
        [['set-port-parameters', 'n', portUuid, { 'inbound.average': 5 }], () => driver.networkPortSetParameters({ port, parameters: listParameters({ 'inbound.average': 5 }) })],
        [['delete-port', 'n', portUuid], () => driver.networkPortDelete({ port })],
        [['delete-port', 'n', 'junk'], () => driver.networkPortDelete({ port: { ...port, uuid: 'junk' } })],
        [['create-port', 'n', portDocument(''), 0], () => driver.networkPortCreateXml({ network: handle.network, xml: portDocument(''), reclaim: false, validate: false, attachment: undefined })],
        [['create-port', 'n', portDocument(''), 0], () => driver.networkPortCreateXml({ network: handle.network, xml: portDocument(''), reclaim: false, validate: false, attachment: undefined })],
        [['create-port', 'n', 'junk', 0], () => driver.networkPortCreateXml({ network: handle.network, xml: 'junk', reclaim: false, validate: false, attachment: undefined })],
      ];
      states[state] = [];
      for (const [theirs, mine] of calls) states[state].push([(await libvirt.tryPort(...theirs)).code, (await ours(mine())).code]);
    };
    await tell('active, no port');
    await tell('active, with the port');
    await libvirt.ask('stop', 'n');
    await driver.networkPortDelete({ port: handle });
    await driver.networkDestroy({ network: handle.network });
    await tell('inactive');
    await driver.networkUndefine({ network: handle.network });
    for (const [state, codes] of Object.entries(states)) expect([state, codes.map(([, mine]) => mine)]).toEqual([state, codes.map(([theirs]) => theirs)]);
    expect(Object.values(states).flat().filter(([code]) => code !== undefined).length).toBeGreaterThan(10);
  }, 60_000);

  it('is told of by vnet net-port-* as virsh tells of it', async () => {
    await begin(networks['nat']!);
    const file = join(folder.path, 'port.xml');
    await writeFile(file, portDocument(''));
    await writeFile(join(folder.path, 'bad.xml'), portDocument('', { owner: '' }));
    const steps = [
      'net-port-list n', 'net-port-list n --uuid', `net-port-create n ${file}`, `net-port-create n ${file}`, `net-port-create --network n --file ${file} --validate`,
      `net-port-create n ${join(folder.path, 'bad.xml')}`, `net-port-create n ${join(folder.path, 'missing.xml')}`, `net-port-create nope ${file}`,
      'net-port-list n', 'net-port-list n --table', 'net-port-list n --uuid', '-q net-port-list n', 'net-port-list n --uuid --table', 'net-port-list nope', 'net-port-list',
      `net-port-dumpxml n ${portUuid}`, `net-port-dumpxml --network n --port ${portUuid}`, 'net-port-dumpxml n junk', `net-port-dumpxml n ${portUuid.replace(/1$/, '2')}`,
      `net-port-delete n ${portUuid}`, `net-port-delete n ${portUuid}`, 'net-port-delete n', 'net-port-list n',
    ];
    try {
      for (const step of steps) {
        const theirs = spawnSync('virsh', ['-c', 'qemu:///system', ...step.split(' ')], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' } });
        const mine = await runVnet(step.split(' '), { driver });
        expect([step, mine.out, plain(mine.err)]).toEqual([step, theirs.stdout, plain(theirs.stderr)]);
      }
    } finally {
      await end();
    }
  }, 60_000);

  it('keeps the same parameters', async () => {
    await begin(networks['nat']!);
    try {
      await create(portDocument("<bandwidth><inbound average='50'/></bandwidth>"));
      for (const parameters of [{ 'inbound.floor': 100 }, { 'inbound.average': 10, 'inbound.floor': 10, 'inbound.peak': 20 }, { 'inbound.floor': 2001 }, { 'inbound.average': 7 }, { 'inbound.average': 7, 'inbound.floor': 2000 }]) {
        const theirs = [(await libvirt.tryPort('set-port-parameters', 'n', portUuid, parameters)).code, (await libvirt.tryPort('port-parameters', 'n', portUuid)).ok, (await libvirt.tryPort('dump-port', 'n', portUuid)).ok];
        const mine = [(await ours(driver.networkPortSetParameters({ port: handle, parameters: listParameters(parameters) }))).code, nameParameters((await driver.networkPortGetParameters({ port: handle })).parameters), (await driver.networkPortGetXmlDesc({ port: handle })).xml];
        // libvirt gives the classes of ports that were there when the network stopped to nobody any more.
        const masked = JSON.stringify([mine, theirs]).replace(/classID='\d+'/g, 'classID');
        const [left, right] = JSON.parse(masked) as unknown[];
        expect(left).toEqual(right);
      }
    } finally {
      await end();
    }
  }, 60_000);
});
