/**
 * The host forwards while a network needs it and is as it was before once none
 * does; IPv6 forwarding does not cost it the routes it has from a router.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Host, NetworkPlan } from '../../server/driver/host.js';
import { silentLog, type Log } from '../../server/log.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { openLab, runProgram, type Lab } from './lab.js';
import { inNamespace } from './place.js';

const network = (number: number, ips = '', forward = "<forward mode='nat'/>") => planFrom(`<network><name>fw-${number}</name>
  <uuid>4b6bd1a5-3c5e-4f0e-9f30-0000000000${String(number).padStart(2, '0')}</uuid>${forward}<bridge name='lab-fw${number}' stp='off' delay='0'/><dns enable='no'/>
  <ip address='10.81.${number}.1' prefix='24'/>${ips}</network>`);
const both = (number: number) => network(number, `<ip family='ipv6' address='fd00:81:${number}::1' prefix='64'/>`);

let lab: Lab;
let host: Host;
let lines: string[];
const log: Log = { ...silentLog, info: (_, line) => void lines.push(line), warn: (_, line) => void lines.push(line) };

const get = async (key: string) => (await readFile(`/proc/sys/net/${key}`, 'utf8')).trim();
const set = (key: string, value: string) => writeFile(`/proc/sys/net/${key}`, value);
const switches = () => Promise.all(['ipv4/ip_forward', 'ipv6/conf/all/forwarding'].map(get));

/** Every setting of every interface that is there now. */
async function settings(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const family of ['ipv4', 'ipv6']) {
    for (const name of await readdir(`/proc/sys/net/${family}/conf`)) {
      for (const key of ['forwarding', 'accept_ra', 'accept_redirects']) found[`${family}/${name}/${key}`] = await get(`${family}/conf/${name}/${key}`).catch(() => '-');
    }
  }
  return found;
}

beforeEach(async () => {
  lines = [];
  lab = await openLab();
  await set('ipv4/ip_forward', '0');
  await set('ipv6/conf/all/forwarding', '0');
  host = await openLabHost(lab, { log });
}, 400_000);

afterEach(async () => {
  await host.close();
  await lab.close();
});

describe('forwarding', () => {
  it('is on while a network needs it, for the families it needs, and off after the last one', async () => {
    await set('ipv4/conf/all/accept_redirects', '0');
    await set('ipv4/conf/up1/forwarding', '1');
    const before = await settings();
    const [one, two, isolated] = [network(1), both(2), network(3, '', '')];
    await host.bringUp(isolated);
    expect(await switches()).toEqual(['0', '0']);
    await host.bringUp(one);
    expect(await switches()).toEqual(['1', '0']);
    await host.bringUp(two);
    expect(await switches()).toEqual(['1', '1']);
    await host.tearDown(two, { forget: true });
    expect(await switches()).toEqual(['1', '0']);
    await host.tearDown(one, { forget: true });
    await host.tearDown(isolated, { forget: true });
    expect(await settings()).toEqual(before);
    expect(await readdir(`${lab.folder}/run`)).not.toContain('forwarding.json');
  });

  it('that was on before stays on', async () => {
    await set('ipv4/ip_forward', '1');
    await host.bringUp(network(1));
    await host.tearDown(network(1), { forget: true });
    expect(await switches()).toEqual(['1', '0']);
    expect(lines.filter((line) => line.includes('forwarding'))).toEqual([]);
  });

  it('is put back by a later daemon', async () => {
    await host.bringUp(both(1));
    await host.close();
    host = await openLabHost(lab, { log });
    await host.observe([both(1)]);
    await host.bringUp(network(2));
    await host.tearDown(network(2), { forget: true });
    expect(await switches()).toEqual(['1', '1']);
    await host.tearDown(both(1), { forget: true });
    expect(await switches()).toEqual(['0', '0']);
  });

  it('stays where another program has come to rely on it, and a line says so', async () => {
    await host.bringUp(both(1));
    await runProgram('nft', ['-f', '-'], "table ip other { chain post { type nat hook postrouting priority 100; oifname up0 masquerade; }\n}");
    await host.tearDown(both(1), { forget: true });
    expect(await switches()).toEqual(['1', '0']);
    expect(lines.at(-2)).toContain('forwarding stays on');
  });

  it('is left alone if it was changed meanwhile', async () => {
    await host.bringUp(network(1));
    await set('ipv4/ip_forward', '0');
    await set('ipv4/conf/up0/forwarding', '1');
    await host.tearDown(network(1), { forget: true });
    expect([await get('ipv4/ip_forward'), await get('ipv4/conf/up0/forwarding')]).toEqual(['0', '1']);
    expect(lines.at(-1)).toContain('forwarding is as it was');
  });

  it('is put back after a start that failed', async () => {
    await runProgram('ip', ['link', 'add', 'lab-fw1', 'type', 'bridge']);
    await expect(host.bringUp(both(1))).rejects.toThrow('File exists');
    await runProgram('ip', ['link', 'delete', 'lab-fw1']);
    expect(await switches()).toEqual(['0', '0']);
  });

  it('is right whoever comes and goes at once', async () => {
    const plans = Array.from({ length: 10 }, (_, i) => both(i + 1));
    const cycle = async (plan: NetworkPlan) => {
      await host.bringUp(plan);
      expect(await switches()).toEqual(['1', '1']);
      await host.tearDown(plan, { forget: true });
    };
    await Promise.all(plans.map(async (plan, i) => {
      for (let round = 0; round <= i % 3; round += 1) await cycle(plan);
    }));
    expect(await switches()).toEqual(['0', '0']);
    expect(await readdir(`${lab.folder}/run`)).not.toContain('forwarding.json');
  }, 60_000);
});

describe('a host that has its routes from a router', () => {
  let router: ChildProcess;
  const routes = () => runProgram('ip', ['-6', 'route', 'show', 'dev', 'ra0', 'proto', 'ra']);
  const expires = async () => Number(/^default.* expires (\d+)sec/m.exec(await routes())?.[1] ?? 0);

  beforeEach(async () => {
    await runProgram('ip', ['netns', 'add', 'router']);
    await runProgram('ip', ['link', 'add', 'ra0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', 'router']);
    await runProgram('ip', ['-n', 'router', '-batch', '-'], 'addr add fd00:99::1/64 dev eth0 nodad\nlink set eth0 up\nlink set lo up\n');
    await set('ipv6/conf/ra0/accept_ra', '1');
    await runProgram('ip', ['link', 'set', 'ra0', 'up']);
    await until('the link-local address', async () => !(await runProgram('ip', ['-n', 'router', '-6', 'addr', 'show', 'dev', 'eth0'])).includes('tentative'));
    // An advertisement every four seconds, good for half a minute.
    const [program, ...argv] = inNamespace('router', 'dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--group=', '--pid-file=',
      '--port=0', '--no-resolv', '--interface=eth0', '--enable-ra', '--dhcp-range=fd00:99::,ra-only', '--ra-param=eth0,4,30', `--dhcp-leasefile=${lab.folder}/router.leases`);
    router = spawn(program, argv, { stdio: 'ignore' });
    await until('the default route', async () => await expires() > 0, 20_000);
  });

  afterEach(async () => {
    const ended = new Promise((resolve) => router.once('exit', resolve));
    router.kill('SIGKILL');
    await ended;
    await runProgram('ip', ['netns', 'delete', 'router']);
    await runProgram('ip', ['link', 'delete', 'ra0']).catch(() => undefined);
  });

  it('keeps them while it forwards IPv6, has them refreshed, and is as before afterwards', async () => {
    const before = await settings();
    const table = (await routes()).replaceAll(/expires \d+sec/g, '');
    await host.bringUp(both(1));
    expect((await routes()).replaceAll(/expires \d+sec/g, '')).toBe(table);
    expect(await get('ipv6/conf/ra0/accept_ra')).toBe('2');
    const [first] = [await expires()];
    let least = first;
    // It counts down, and is up again: an advertisement was taken while the host forwards.
    await until('a refresh', async () => {
      const now = await expires();
      if (now > least) return true;
      least = now;
      return false;
    }, 20_000);
    await host.tearDown(both(1), { forget: true });
    expect(await settings()).toEqual(before);
    expect((await routes()).replaceAll(/expires \d+sec/g, '')).toBe(table);
  }, 60_000);
});
