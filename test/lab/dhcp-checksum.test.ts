/** DHCP's answers as a guest's interface sees them: a client that is strict about checksums takes them. */
import { spawn, spawnSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Host } from '../../server/driver/host.js';
import { CommandError, openCommands, type Commands, type Tool } from '../../server/host/command.js';
import type { LinuxHostOptions } from '../../server/host/linux.js';
import { silentLog, type Log } from '../../server/log.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { openLab, runProgram, type Guest, type Lab } from './lab.js';
import { inNamespace } from './place.js';

const document = (name: string, number: number) => planFrom(`<network><name>${name}</name><uuid>4b6bd1a5-3c5e-4f0e-9f12-0000000000e${number}</uuid><forward mode='nat'/>
  <bridge name='lab-${name}' stp='off' delay='0'/><bandwidth><inbound average='5000'/><outbound average='5000'/></bandwidth>
  <ip address='10.91.${number}.1' prefix='24'><dhcp><range start='10.91.${number}.10' end='10.91.${number}.20'/></dhcp></ip></network>`);
const plan = document('strict', 1);
const other = document('other', 2);

/** Both ways to complete a checksum: tc's, where this kernel has it, and iptables', of each kind. */
const withoutTc: Commands = {
  ...openCommands(),
  run: async (tool, argv, options) => {
    const line = (options?.input ?? '').split('\n').findIndex((text) => text.includes('action csum'));
    if (tool !== 'tc' || line < 0) return openCommands().run(tool, argv, options);
    await openCommands().run(tool, argv, { input: options!.input!.split('\n').slice(0, line).map((text) => `${text}\n`).join('') });
    throw new CommandError('tc', `Command failed -:${line + 1}`);
  },
};
const legacy = { 'iptables-save': '/usr/sbin/iptables-legacy-save', 'iptables-restore': '/usr/sbin/iptables-legacy-restore' };
const installed = (program: string) => spawnSync(program, ['--version']).status === 0;

/** Whether tc can complete checksums here. */
function canComplete(): boolean {
  const tc = (...argv: string[]) => spawnSync('tc', argv).status === 0;
  const can = tc('qdisc', 'add', 'dev', 'lo', 'clsact')
    && tc(...'filter add dev lo egress protocol ip u32 match u32 0 0 action csum udp'.split(' '));
  tc('qdisc', 'delete', 'dev', 'lo', 'clsact');
  return can;
}

const ways: [string, Partial<LinuxHostOptions>, boolean][] = [
  ["tc's", { firewall: 'nftables' }, canComplete()],
  ["iptables' beside nftables", { firewall: 'nftables', commands: withoutTc }, installed('iptables-restore')],
  ["iptables' beside iptables", { firewall: 'iptables', commands: withoutTc }, installed('iptables-restore')],
  ["the older iptables' beside nftables", { firewall: 'nftables', toolPaths: legacy }, installed(legacy['iptables-restore'])],
];

let lab: Lab;
let host: Host;
let warnings: string[];
const log: Log = { ...silentLog, warn: (_, message) => void warnings.push(message) };

beforeAll(async () => {
  lab = await openLab();
}, 400_000);

beforeEach(() => { warnings = []; });

afterEach(async () => {
  for (const each of [plan, other]) await host?.tearDown(each, { forget: true });
  await host?.close();
});

afterAll(() => lab?.close());

/** What tcpdump says of each DHCP answer that comes to a guest while it asks for a lease. */
async function answersTo(guest: Guest): Promise<string[]> {
  const [program, ...argv] = inNamespace(guest.name, 'tcpdump', '--immediate-mode', '-l', '-n', '-vv', '-i', 'eth0', 'udp', 'dst', 'port', '68');
  const capture = spawn(program, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => capture.once('exit', resolve));
  let said = '';
  for (const stream of [capture.stdout, capture.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { said += text; });
  const answers = () => said.split('\n').filter((line) => line.includes('.68:'));
  try {
    await until('tcpdump', async () => said.includes('listening on'));
    await guest.lease();
    await until('an offer and an acknowledgement', async () => answers().length >= 2);
    return answers();
  } finally {
    capture.kill();
    await ended;
  }
}

/** What iptables has of ours, and the tables that nftables has. */
async function traces(): Promise<string> {
  const saved = await Promise.all(['iptables-save', ...(installed(legacy['iptables-save']) ? [legacy['iptables-save']] : [])].map((program) => runProgram(program, [])));
  return [...saved.join('\n').split('\n').filter((line) => line.includes('VNET')), await runProgram('nft', ['list', 'tables'])].join('\n');
}

describe('DHCP answers', () => {
  ways.forEach(([way, options, possible]) => it.skipIf(!possible)(`have complete checksums, which are ${way} work`, async () => {
    host = await openLabHost(lab, { ...options, log });
    await Promise.all([host.bringUp(plan), host.bringUp(other)]);
    const guest = await lab.guest(plan.bridge, 'strict');
    for (const answer of await answersTo(guest)) expect(answer).toContain('[udp sum ok]');
    expect(warnings).toEqual([]);
    // As long as one network needs it, it is there; then nothing is left of it.
    await host.tearDown(other, { forget: true });
    for (const answer of await answersTo(guest)) expect(answer).toContain('[udp sum ok]');
    await guest.close();
    await host.tearDown(plan, { forget: true });
    expect(await traces()).toBe('');
  }, 60_000));

  it.skipIf(!installed('iptables-restore'))('have them again when another program has taken the rule away, and after a restart of vnet', async () => {
    host = await openLabHost(lab, { firewall: 'nftables', commands: withoutTc, log });
    await host.bringUp(plan);
    await runProgram('iptables', ['-t', 'mangle', '-F']);
    await until('the rule', async () => (await traces()).includes('-A VNET_CHECKSUM'), 5000);
    await host.close();
    host = await openLabHost(lab, { firewall: 'nftables', commands: withoutTc, log });
    await host.observe([plan]);
    await runProgram('nft', ['flush', 'ruleset']);
    await until('the rule', async () => (await traces()).includes('-A POSTROUTING -p udp -m udp --sport 67 --dport 68 -j VNET_CHECKSUM'), 5000);
    const guest = await lab.guest(plan.bridge, 'strict');
    for (const answer of await answersTo(guest)) expect(answer).toContain('[udp sum ok]');
    await guest.close();
    await host.tearDown(plan, { forget: true });
    expect(await traces()).toBe('');
  }, 60_000);

  it('are what they are where neither is there, and a line says so', async () => {
    const refuse = (tool: Tool) => {
      if (tool.startsWith('iptables')) throw new CommandError(tool, 'there is none');
    };
    host = await openLabHost(lab, { firewall: 'nftables', log, commands: {
      ...withoutTc,
      run: async (tool, argv, options) => { refuse(tool); await withoutTc.run(tool, argv, options); },
      read: async (tool, argv) => { refuse(tool); return withoutTc.read(tool, argv); },
    } });
    await Promise.all([host.bringUp(plan), host.bringUp(other)]);
    expect(warnings).toEqual([expect.stringContaining('act_csum')]);
    const guest = await lab.guest(plan.bridge, 'strict');
    for (const answer of await answersTo(guest)) expect(answer).toContain('[bad udp cksum');
    await guest.close();
  }, 60_000);
});
