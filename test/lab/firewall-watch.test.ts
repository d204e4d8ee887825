/**
 * Rules that other programs take away or change come back by themselves, with
 * each firewall; and a host that is given another firewall leaves the former.
 */
import { spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Host, NetworkPlan } from '../../server/driver/host.js';
import type { LinuxHostOptions } from '../../server/host/linux.js';
import { silentLog, type Log } from '../../server/log.js';
import { ErrorCode } from '../../shared/errors.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { addresses, openLab, runProgram, type Guest, type Lab } from './lab.js';

/** What the project promises. */
const comesBackWithinMs = 2000;

const document = (name: string, number: number, forward: string) => planFrom(`<network><name>${name}</name>
  <uuid>4b6bd1a5-3c5e-4f0e-9f20-00000000000${number}</uuid>${forward}<bridge name='lab-${name}' stp='off' delay='0'/><dns enable='no'/>
  <ip address='10.78.${number}.1' prefix='24'/></network>`);
const nat = document('nat', 1, "<forward mode='nat'/>");
const isolated = document('isolated', 2, '');

const legacy = Object.fromEntries(['iptables', 'ip6tables'].flatMap((program) => ['save', 'restore'].map((verb) =>
  [`${program}-${verb}`, `/usr/sbin/${program}-legacy-${verb}`])));

const installed = (program: string) => spawnSync(program, ['--version']).status === 0;

/** Each firewall, and what others do to it. */
const kinds: { title: string; options: Partial<LinuxHostOptions>; harms: string[][] }[] = [
  {
    title: 'nftables',
    options: { firewall: 'nftables' },
    harms: [
      ['nft', 'flush', 'ruleset'], ['nft', 'delete', 'table', 'inet', 'vnet'], ['nft', 'flush', 'table', 'inet', 'vnet'],
      ['nft', 'flush', 'chain', 'inet', 'vnet', 'forward'], ['nft', 'delete', 'element', 'inet', 'vnet', 'nat', '{ lab-nat }'],
      ['nft', 'insert', 'rule', 'inet', 'vnet', 'forward', 'drop'],
    ],
  },
  {
    title: 'iptables',
    options: { firewall: 'iptables' },
    harms: [
      ['nft', 'flush', 'ruleset'], ['iptables', '-F'], ['iptables', '-t', 'nat', '-F', 'POSTROUTING'], ['iptables', '-D', 'FORWARD', '-j', 'VNET_FORWARD'],
      ['iptables', '-I', 'VNET_FORWARD', '-j', 'DROP'],
    ],
  },
  {
    title: 'the older iptables',
    options: { firewall: 'iptables', toolPaths: legacy },
    harms: [['iptables-legacy', '-F'], ['iptables-legacy', '-t', 'nat', '-F']],
  },
];

let lab: Lab;
let host: Host;
let guests: Record<'nat' | 'isolated', Guest>;
let warnings: { fields: Record<string, unknown>; message: string }[];
const log: Log = { ...silentLog, warn: (fields, message) => void warnings.push({ fields: fields as Record<string, unknown>, message }) };

beforeEach(async () => {
  warnings = [];
  lab = await openLab();
});

afterEach(async () => {
  for (const plan of [nat, isolated]) await host.tearDown(plan, { forget: true });
  await host.close();
  await lab.close();
});

async function start(options: Partial<LinuxHostOptions>): Promise<void> {
  host = await openLabHost(lab, { ...options, log });
  await Promise.all([nat, isolated].map((plan) => host.bringUp(plan)));
  const plug = async (plan: NetworkPlan, number: number) => {
    const guest = await lab.guest(plan.bridge, plan.name);
    await guest.setAddress(`10.78.${number}.7/24`, `10.78.${number}.1`);
    return guest;
  };
  guests = { nat: await plug(nat, 1), isolated: await plug(isolated, 2) };
  expect(await guarded()).toBe(true);
}

/** Whether the rules hold, as packets find it. */
async function guarded(): Promise<boolean> {
  const [out, kept] = await Promise.all([
    guests.nat.reach(addresses.outside.ipv4, { timeoutMs: 100 }), guests.isolated.reach(addresses.outside.ipv4, { timeoutMs: 100 }),
  ]);
  return out.seen?.address === addresses.up0.ipv4 && kept.why === 'ECONNREFUSED';
}

kinds.forEach(({ title, options, harms }) => describe.skipIf(!harms.every(([program = '']) => installed(program)))(`with ${title}`, () => {
  it('F12: rules come back by themselves, and a line says so', async () => {
    await start(options);
    for (const [program = '', ...argv] of harms) {
      const before = warnings.length;
      await runProgram(program, argv);
      const since = performance.now();
      await until(`rules after ${program} ${argv.join(' ')}`, async () => warnings.length > before && await guarded(), comesBackWithinMs);
      expect(performance.now() - since).toBeLessThan(comesBackWithinMs);
      expect(warnings.at(-1)?.message).toContain('another program changed the firewall rules');
      expect(warnings.at(-1)?.fields['networks']).toContain('nat');
    }
  });

  it('what vnet does itself is no change by another', async () => {
    await start(options);
    await host.tearDown(isolated, { forget: true });
    await host.bringUp(isolated);
    const [program = '', ...argv] = harms[0]!;
    await runProgram(program, argv);
    await until('the rules', async () => warnings.length > 0, comesBackWithinMs);
    expect(warnings).toHaveLength(1);
  });
}));

it('listening goes on when the program that listens is killed, and what happened meanwhile is made good', async () => {
  await start({ firewall: 'nftables' });
  process.kill(await until('the listener', listener), 'SIGKILL');
  await runProgram('nft', ['flush', 'ruleset']);
  await until('the rules', guarded, 5000);
  // It is said when nft has ended, a moment after the rules are there.
  await until('the second warning', async () => warnings.length > 1, 2000);
  expect(warnings.map(({ message }) => message)).toEqual([
    'changes of the firewall cannot be heard for a moment: listening again', expect.stringContaining('another program changed'),
  ]);
  await until('the listener', listener);
  await host.close();
  expect(await listener()).toBeUndefined();
});

it.skipIf(!installed('iptables-restore')).each([['nftables', 'iptables'], ['iptables', 'nftables']] as const)('a host that had %s and is given %s has nothing left of the former', async (former, next) => {
  const ours = async (tool: string) => /vnet/i.test(tool === 'nftables'
    ? await lab.host.exec('nft', 'list', 'tables') : await lab.host.exec('iptables-save') + await lab.host.exec('ip6tables-save'));
  await start({ firewall: former });
  expect([await ours(former), await ours(next)]).toEqual([true, false]);
  await host.close();
  host = await openLabHost(lab, { firewall: next, log });
  const { standing } = await host.observe([nat, isolated]);
  for (const [index, plan] of [nat, isolated].entries()) await host.refresh(plan, standing[index]!);
  expect([await ours(former), await ours(next)]).toEqual([false, true]);
  expect(await guarded()).toBe(true);
});

it('networks that stood when vnet was started are watched', async () => {
  await start({ firewall: 'nftables' });
  await host.close();
  host = await openLabHost(lab, { firewall: 'nftables', log });
  await host.observe([nat, isolated]);
  await until('the listener', listener);
  await runProgram('nft', ['flush', 'ruleset']);
  await until('the rules', guarded, comesBackWithinMs);
});

it('F14: without a firewall, a network that needs rules is refused and leaves nothing, and an open one is not', async () => {
  host = await openLabHost(lab, { firewall: 'none' });
  await expect(host.bringUp(nat)).rejects.toMatchObject({ code: ErrorCode.NO_SUPPORT, hint: expect.stringContaining('backend') });
  expect((await host.observe([])).interfaces).not.toContain('lab-nat');
  const open = document('open', 3, "<forward mode='open'/>");
  await host.bringUp(open);
  await host.tearDown(open, { forget: true });
});

it('a firewall that is no firewall is refused', async () => {
  await expect(openLabHost(lab, { firewall: 'pf' as 'none' })).rejects.toMatchObject({ code: ErrorCode.INVALID_ARG, message: expect.stringContaining("'pf'") });
  host = await openLabHost(lab, { firewall: 'none' });
});

/** The process that tells of changes. */
async function listener(): Promise<number | undefined> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if ((await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).endsWith('nft\0monitor\0')) return Number(pid);
  }
  return undefined;
}
