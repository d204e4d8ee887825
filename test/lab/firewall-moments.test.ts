/**
 * No moment of a change passes what neither the old nor the new rules permit,
 * and what a change does not concern loses nothing: shown by floods of
 * datagrams while networks are changed, stopped and started, with each
 * firewall.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Host, NetworkPlan } from '../../server/driver/host.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { addresses, openLab, runProgram, type Guest, type Lab } from './lab.js';
import { inNamespace } from './place.js';

const port = '9999';

const document = (name: string, number: number, forward: string) => planFrom(`<network><name>${name}</name>
  <uuid>4b6bd1a5-3c5e-4f0e-9f21-00000000000${number}</uuid>${forward}<bridge name='lab-${name}' stp='off' delay='0'/><mac address='52:54:00:79:00:0${number}'/>
  <dns enable='no'/><ip address='10.79.${number}.1' prefix='24'/></network>`);

const isolated = document('isolated', 1, '');
const routed = document('routed', 2, "<forward mode='route'/>");
const nat = document('nat', 3, "<forward mode='nat'/>");
/** The network that changes: what it was, and what it becomes. */
const changing = document('changing', 4, '');
const changed = document('changing', 4, "<forward mode='nat' dev='up0'/>");
const other = document('other', 5, "<forward mode='nat'/>");

let lab: Lab;
let host: Host;
let guests: Record<'isolated' | 'routed' | 'nat' | 'changing', Guest>;
let floods: Flood[];

/** A program that sends or counts until it is told to stop. */
interface Flood {
  stop(): Promise<string>;
}

async function flood(place: { name: string }, ...argv: string[]): Promise<Flood> {
  const script = new URL('flood.mjs', import.meta.url).pathname;
  const [program, ...rest] = inNamespace(place.name, process.execPath, script, ...argv);
  const child: ChildProcess = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const lines: string[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line));
  let stopping: Promise<string> | undefined;
  const stop = async () => {
    child.stdin!.end();
    await ended;
    return lines.at(-1) ?? '';
  };
  const opened = { stop: () => (stopping ??= stop()) };
  floods.push(opened);
  await until(`flood ${argv.join(' ')}`, async () => lines[0] === 'ready');
  return opened;
}

const everyone = () => [lab.outside, ...Object.values(guests)];

/** Runs a step while everybody sends to whom they may not reach, and gives what arrived all the same. */
async function leaksWhile(step: () => Promise<void>): Promise<Record<string, number>> {
  const counters = await Promise.all(everyone().map(async (place) => flood(place, 'count', port)));
  const senders = await Promise.all([
    flood(guests.isolated, 'send', port, 'out of isolation', addresses.outside.ipv4, '10.79.2.7', '10.79.3.7', '10.79.4.7'),
    flood(guests.changing, 'send', port, 'from the changing one', addresses.outside.ipv4, addresses.elsewhere.ipv4, '10.79.1.7', '10.79.2.7', '10.79.3.7'),
    flood(lab.outside, 'send', port, 'into what is closed', '10.79.1.7', '10.79.3.7', '10.79.4.7'),
  ]);
  await step();
  for (const sender of senders) expect(Number(await sender.stop())).toBeGreaterThan(200);
  const counted = await Promise.all(counters.map(async (counter) => JSON.parse(await counter.stop()) as Record<string, number>));
  const arrived = Object.assign({}, ...counted) as Record<string, number>;
  // What the changed network permits, as it permits it: translated.
  delete arrived[`from the changing one from ${addresses.up0.ipv4}`];
  return arrived;
}

const refreshed = (plan: NetworkPlan) => host.refresh(plan, { bridge: true, dnsmasq: true, firewall: false });

beforeEach(async () => {
  floods = [];
  lab = await openLab();
}, 400_000);

afterEach(async () => {
  for (const each of floods) await each.stop();
  for (const plan of [isolated, routed, nat, changed, other]) await host.tearDown(plan, { forget: true });
  await host.close();
  await lab.close();
});

async function start(firewall: 'nftables' | 'iptables'): Promise<void> {
  host = await openLabHost(lab, { firewall });
  await Promise.all([isolated, routed, nat, changing].map((plan) => host.bringUp(plan)));
  const plug = async (plan: NetworkPlan, number: number) => {
    const guest = await lab.guest(plan.bridge, plan.name);
    await guest.setAddress(`10.79.${number}.7/24`, `10.79.${number}.1`);
    // It need not ask for its gateway, so that it sends from the first moment on.
    await guest.exec('ip', 'neigh', 'replace', `10.79.${number}.1`, 'lladdr', plan.definition.mac!, 'dev', 'eth0', 'nud', 'permanent');
    await lab.host.exec('ip', 'neigh', 'replace', `10.79.${number}.7`, 'lladdr', guest.mac, 'dev', plan.bridge, 'nud', 'permanent');
    return guest;
  };
  guests = { isolated: await plug(isolated, 1), routed: await plug(routed, 2), nat: await plug(nat, 3), changing: await plug(changing, 4) };
}

/** The rules of all networks but some, each with its handle. */
async function handlesBut(...plans: NetworkPlan[]): Promise<string> {
  const tables = (await runProgram('nft', ['-a', 'list', 'ruleset'])).split(/\n(?=\tchain )/);
  const theirs = plans.flatMap(({ uuid, bridge }) => [uuid.replaceAll('-', ''), Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url'), bridge]);
  return tables.map((chain) => chain.split('\n').filter((line) => !/elements|counter packets|^\t\t\t/.test(line)).join('\n'))
    .filter((chain) => !theirs.some((text) => chain.includes(text))).join('\n');
}

const installed = (program: string) => spawnSync(program, ['--version']).status === 0;

(['nftables', 'iptables'] as const).forEach((firewall) => describe.skipIf(firewall === 'iptables' && !installed('iptables-restore'))(`with ${firewall}`, () => {
  it('a change of one network passes nothing that neither its old nor its new rules permit, and costs others nothing', async () => {
    await start(firewall);
    const before = await handlesBut(changing, other);
    const counter = await flood(lab.outside, 'count', '9998');
    const pacer = await flood(guests.routed, 'pace', '9998', '2', addresses.outside.ipv4);
    const leaks = await leaksWhile(async () => {
      for (let round = 0; round < 4; round += 1) {
        await refreshed(changed);
        await Promise.all([refreshed(changing), host.bringUp(other)]);
        await host.tearDown(other, { forget: true });
      }
    });
    expect(leaks).toEqual({});
    if (firewall === 'nftables') expect(await handlesBut(changing, other)).toBe(before);
    const sent = Number(await pacer.stop());
    expect(sent).toBeGreaterThan(200);
    expect(JSON.parse(await counter.stop())).toEqual({ 'paced from 10.79.2.7': sent });
  }, 120_000);

  it('neither a stop nor a start leaves a guest without rules that is plugged in as soon as there is a bridge', async () => {
    await start(firewall);
    const cables = (await runProgram('ip', ['-o', 'link', 'show', 'master', isolated.bridge])).match(/guest\d+/g)!;
    const plugger = spawn('sh', ['-c', `while :; do ip link set ${cables[0]} master ${isolated.bridge}; done 2>/dev/null`], { stdio: 'ignore' });
    try {
      const leaks = await leaksWhile(async () => {
        for (let round = 0; round < 5; round += 1) {
          await host.tearDown(isolated, { forget: true });
          await host.bringUp(isolated);
          await until('the guest on its bridge', async () => (await guests.isolated.reach('10.79.1.1')).reached);
        }
      });
      expect(leaks).toEqual({});
    } finally {
      plugger.kill('SIGKILL');
    }
  }, 120_000);

  it('T31: a restart of vnet, and one with the other firewall, opens no gap', async () => {
    await start(firewall);
    const plans = [isolated, routed, nat, changing];
    const leaks = await leaksWhile(async () => {
      for (const next of [firewall, firewall === 'iptables' ? 'nftables' : 'iptables', firewall] as const) {
        await host.close();
        host = await openLabHost(lab, { firewall: next });
        const { standing } = await host.observe(plans);
        for (const [index, plan] of plans.entries()) if (!standing[index]!.firewall) await host.refresh(plan, standing[index]!);
      }
    });
    expect(leaks).toEqual({});
  }, 120_000);
}));
