/**
 * Other programs' firewalls: what stops guests is named, and where such a
 * program has a place for it, and the configuration allows it, guests pass.
 */
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Host, NetworkPlan } from '../../server/driver/host.js';
import type { LinuxHostOptions } from '../../server/host/linux.js';
import { silentLog, type Log } from '../../server/log.js';
import { until } from '../processes.js';
import { followRepairs, openLabHost, planFrom } from './embedded-host.js';
import { addresses, openLab, runProgram, type Guest, type Lab } from './lab.js';

const document = (name: string, number: number, forward: string) => planFrom(`<network><name>${name}</name>
  <uuid>4b6bd1a5-3c5e-4f0e-9f50-00000000000${number}</uuid>${forward}<bridge name='lab-${name}' stp='off' delay='0'/><dns enable='no'/>
  <ip address='10.82.${number}.1' prefix='24'/><ip family='ipv6' address='fd00:82:${number}::1' prefix='64'/></network>`);
const nat = document('nat', 1, "<forward mode='nat'><nat ipv6='yes'/></forward>");
const route = document('route', 2, "<forward mode='route'/>");
const open = document('open', 3, "<forward mode='open'/>");
const plans = [nat, route, open];

let lab: Lab;
let host: Host | undefined;
let warnings: { fields: Record<string, unknown>; message: string }[];
const log: Log = { ...silentLog, warn: (fields, message) => void warnings.push({ fields: fields as Record<string, unknown>, message }) };
const drops = () => warnings.filter(({ message }) => message.startsWith('guests cannot reach'));

beforeEach(async () => {
  warnings = [];
  lab = await openLab();
});

afterEach(async () => {
  for (const plan of plans) await host?.tearDown(plan, { forget: true });
  await host?.close();
  host = undefined;
  for (const program of ['iptables-legacy', 'ip6tables-legacy']) {
    // The older iptables is not flushed with nft's rules.
    for (const argv of [['-P', 'FORWARD', 'ACCEPT'], ['-F'], ['-X']]) spawnSync(program, argv);
  }
  await lab.close();
});

const restore = (program: string, ...lines: string[]) => runProgram(`${program}-restore`, ['--noflush', '--wait=10'], `*filter\n${lines.join('\n')}\nCOMMIT\n`);

/** What Docker does to a host when it starts: its chains anew, but DOCKER-USER as it is, and first. */
async function startDocker(programs: readonly string[], again = false): Promise<void> {
  for (const program of programs) {
    await restore(program, ':FORWARD DROP', ...(again ? ['-D FORWARD -j DOCKER-USER', '-D FORWARD -j DOCKER-FORWARD'] : [':DOCKER-USER -', '-A DOCKER-USER -j RETURN']),
      ':DOCKER-FORWARD -', '-A DOCKER-FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT', '-A DOCKER-FORWARD -o docker0 -j DROP',
      '-A DOCKER-FORWARD -i docker0 -j ACCEPT', '-I FORWARD -j DOCKER-FORWARD', '-I FORWARD -j DOCKER-USER');
  }
}

/** Whether a guest comes to pass within the time that is promised, or longer where the machine is busy. */
const comesToPass = (guest: Guest) => until('guests that pass', async () => (await both(guest)).every(Boolean), 15_000);

async function start(options: Partial<LinuxHostOptions>, wanted: NetworkPlan[] = plans): Promise<Guest[]> {
  host = await openLabHost(lab, { ...options, log });
  await Promise.all(wanted.map((plan) => host!.bringUp(plan)));
  const guests: Guest[] = [];
  for (const plan of wanted) {
    const guest = await lab.guest(plan.bridge, plan.name);
    const number = plans.indexOf(plan) + 1;
    await guest.setAddress(`10.82.${number}.7/24`, `10.82.${number}.1`);
    await guest.setAddress(`fd00:82:${number}::7/64`, `fd00:82:${number}::1`);
    guests.push(guest);
  }
  return guests;
}

const reaches = async (guest: Guest, address: string) => (await guest.reach(address, { timeoutMs: 400 })).reached;
const both = async (guest: Guest) => [await reaches(guest, addresses.outside.ipv4), await reaches(guest, addresses.outside.ipv6)];

const kinds = [
  { title: 'nftables, Docker with iptables', options: { firewall: 'nftables' }, programs: ['iptables', 'ip6tables'] },
  { title: 'nftables, Docker with the older iptables', options: { firewall: 'nftables' }, programs: ['iptables-legacy', 'ip6tables-legacy'] },
  { title: 'iptables, Docker with iptables', options: { firewall: 'iptables' }, programs: ['iptables', 'ip6tables'] },
] as const;

kinds.forEach(({ title, options, programs }) => describe.skipIf(spawnSync(programs[0], ['--version']).status !== 0)(`with ${title}`, () => {
  const saved = async () => (await Promise.all(programs.map((program) => runProgram(`${program}-save`, [])))).join('').replaceAll(/^#.*$|\[\d+:\d+\]/gm, '');

  it('F14: guests are stopped, and the log names by whom, once', { timeout: 90_000 }, async () => {
    await startDocker(programs);
    const [guest] = await start(options, [nat]);
    await until('a warning', async () => drops().length > 0);
    expect(await both(guest!)).toEqual([false, false]);
    await host!.bringUp(route);
    const named = await until('all families', async () => drops().length >= 2 && drops());
    expect(named.map(({ fields }) => fields['owner'])).toEqual(['Docker', 'Docker']);
    expect(named[0]).toMatchObject({ message: expect.stringContaining('the policy of chain FORWARD'), fields: { advice: expect.stringContaining('accept_in_foreign') } });
    // That of another network is the same and not told again; closing waits for the look that is under way.
    await host!.bringUp(open);
    await host!.diagnose([open]);
    await host!.close();
    expect(drops()).toHaveLength(2);
  });

  it('F14: guests pass where Docker offers a place, what is not permitted does not, and nothing is left', { timeout: 90_000 }, async () => {
    await startDocker(programs);
    const before = await saved();
    const [inNat, inRoute, inOpen] = await start({ ...options, acceptInForeign: true }) as [Guest, Guest, Guest];
    for (const guest of [inNat, inRoute, inOpen]) await comesToPass(guest);
    expect(await lab.outside.reach('10.82.1.7', { timeoutMs: 400 })).toMatchObject({ reached: false });
    expect(await lab.outside.reach('10.82.2.7')).toMatchObject({ reached: true });
    // Docker starts anew and puts itself first: what is not permitted still is not.
    await startDocker(programs, true);
    expect(await lab.outside.reach('10.82.1.7', { timeoutMs: 400 })).toMatchObject({ reached: false });
    await comesToPass(inNat);
    // A guest does not reach what Docker keeps behind its bridge.
    expect(await saved()).toContain('-A VNET-ACCEPT -o docker+ -j RETURN');
    expect(drops()).toEqual([]);
    // What was placed goes with the networks, also if it is not to be placed any more.
    await host!.close();
    host = await openLabHost(lab, { ...options, log });
    for (const plan of plans) await host!.tearDown(plan, { forget: true });
    expect((await saved()).split('\n').filter((line) => /VNET/.test(line))).toEqual([]);
    if (options.firewall === 'nftables') expect(await saved()).toBe(before);
  });

  it('the place is taken again when Docker loses its chains and makes them anew, and whoever asks is told', { timeout: 90_000 }, async () => {
    await startDocker(programs);
    const [guest] = await start({ ...options, acceptInForeign: true }, [nat]);
    const repaired = followRepairs(host!);
    for (const program of programs) {
      await restore(program, '-D FORWARD -j DOCKER-USER', '-D FORWARD -j DOCKER-FORWARD', '-F DOCKER-USER', '-F DOCKER-FORWARD');
      await restore(program, '-X DOCKER-USER', '-X DOCKER-FORWARD');
    }
    await startDocker(programs);
    await comesToPass(guest!);
    await until('the word', async () => repaired.includes(nat.uuid));
  });
}));

it('rules of nft that stop guests are named at the daemon\'s start, and when the packets are the host\'s own', async () => {
  await runProgram('nft', ['-f', '-'], `table inet stern { chain passing { type filter hook forward priority 0; policy drop; ct state established accept;
    }
    chain incoming { type filter hook input priority 0; policy accept; udp dport { 53, 67 } drop;
    }
  }`);
  host = await openLabHost(lab, { log });
  await until('warnings', async () => drops().length >= 2);
  expect(drops().map(({ fields }) => fields['advice'])).toEqual([
    'nft insert rule inet stern passing iifname virbr0 accept && nft insert rule inet stern passing oifname virbr0 accept', 'nft insert rule inet stern incoming iifname virbr0 accept',
  ]);
  const findings = await host.diagnose([nat, route]);
  expect(findings.filter(({ check, severity }) => check === 'foreign-drop' && severity === 'error').map(({ network }) => network)).toEqual([nat.uuid, route.uuid]);
});
