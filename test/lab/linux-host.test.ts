/** The Linux host: what it leaves on a machine, and what it does when a step fails. */
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, readlink, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Host, NetworkPlan } from '../../server/driver/host.js';
import { CommandError, openCommands, type Commands, type Tool } from '../../server/host/command.js';
import { NetworkError, ErrorCode } from '../../shared/errors.js';
import { until } from '../processes.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { addresses, openLab, outsideName, runProgram, type Lab } from './lab.js';

const plan = (name: string, number: number, inner = '', forward = "<forward mode='nat'/>") => planFrom(`<network>
  <name>${name}</name><uuid>4b6bd1a5-3c5e-4f0e-9f11-00000000000${number}</uuid>${forward}
  <bridge name='lab-${number}' stp='off' delay='0'/><mac address='52:54:00:11:01:0${number}'/>
  <ip address='192.168.16${number}.1' prefix='24'><dhcp><range start='192.168.16${number}.10' end='192.168.16${number}.20'/></dhcp></ip>
  <ip family='ipv6' address='fd00:16${number}::1' prefix='64'/>${inner}</network>`);

let lab: Lab;
let host: Host;
const up: NetworkPlan[] = [];

beforeAll(async () => {
  lab = await openLab();
  host = await openLabHost(lab);
}, 400_000);

afterEach(async () => {
  for (const one of up.splice(0)) await host.tearDown(one, { forget: true });
});

afterAll(async () => {
  await host?.close();
  await lab?.close();
});

async function bringUp(one: NetworkPlan, by: Host = host): Promise<NetworkPlan> {
  await by.bringUp(one);
  up.push(one);
  return one;
}

/** All that a network can leave on the host. */
async function traces(): Promise<Record<string, unknown>> {
  const files = await readdir(lab.folder, { recursive: true });
  return {
    links: (await runProgram('ip', ['-o', 'link'])).replaceAll(/state \w+/g, ''),
    routes: await runProgram('ip', ['route']) + await runProgram('ip', ['-6', 'route']),
    rules: await runProgram('nft', ['list', 'ruleset']),
    files: files.sort(),
    processes: (await dnsmasqPids()).length,
  };
}

/** The dnsmasq processes of networks; the lab's own name server has no configuration file. */
async function dnsmasqPids(): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return pids.filter((_, index) => lines[index]!.includes(`--conf-file=${lab.folder}/`)).map(Number);
}

const dnsmasqPid = async (name: string) => Number(await readFile(join(lab.folder, 'run/dnsmasq', `${name}.pid`), 'utf8'));

/** A door that fails at one call, before or after the program has done its work. */
function failingAt(call: number, when: 'before' | 'after'): Commands & { calls: Tool[] } {
  const real = openCommands();
  const calls: Tool[] = [];
  const pass = async <T>(tool: Tool, step: () => Promise<T>): Promise<T> => {
    const fails = calls.push(tool) === call;
    if (!fails) return step();
    if (when === 'after') await step().catch(() => undefined);
    throw new CommandError(tool, 'made to fail');
  };
  return {
    calls,
    require: (tool) => real.require(tool),
    run: (tool, argv, options) => pass(tool, () => real.run(tool, argv, options)),
    // What is looked up of other programs' rules, for the log, is no step of it, and comes when it comes.
    read: (tool, argv) => isAboutOthers(tool, argv) ? real.read(tool, argv) : pass(tool, () => real.read(tool, argv)),
    follow: (tool, argv, onLine) => real.follow(tool, argv, onLine),
  };
}

function isAboutOthers(tool: Tool, argv: readonly string[]): boolean {
  return tool === 'nft' ? argv.includes('list') && !argv.includes('vnet') : /^ip6?tables(-legacy)?-save$/.test(tool) && argv.length === 0;
}

describe('a network on the host', () => {
  it('leaves nothing behind when it is torn down and forgotten', async () => {
    const before = await traces();
    await host.bringUp(plan('gone', 1));
    expect(await traces()).not.toEqual(before);
    await host.tearDown(plan('gone', 1), { forget: true });
    expect(await traces()).toEqual(before);
  });

  it('is observed as it stands', async () => {
    const one = await bringUp(plan('seen', 1));
    const { interfaces, routes, standing } = await host.observe([one, plan('unseen', 2)]);
    expect(interfaces).toEqual(expect.arrayContaining(['lo', 'up0', 'up1', 'lab-1']));
    expect(routes).toEqual(expect.arrayContaining([
      { subnet: '192.168.161.0/24', interface: 'lab-1' }, { subnet: 'fd00:161::/64', interface: 'lab-1' }, { subnet: '198.51.100.0/24', interface: 'up0' },
    ]));
    expect(routes.some(({ subnet }) => subnet.endsWith('/0') || subnet.startsWith('fe80'))).toBe(false);
    expect(standing).toEqual([{ bridge: true, dnsmasq: true, firewall: true }, { bridge: false, dnsmasq: false, firewall: false }]);
  });

  it('is made whole without touching what stands', async () => {
    const [one, other] = [await bringUp(plan('hurt', 1)), await bringUp(plan('well', 2))];
    const pid = await dnsmasqPid('well');
    process.kill(await dnsmasqPid('hurt'), 'SIGKILL');
    await runProgram('nft', ['flush', 'ruleset']);
    const dead = await until('its death', async () => {
      const { standing } = await host.observe([one]);
      return standing[0]?.dnsmasq === false ? standing[0] : undefined;
    });
    expect(dead).toEqual({ bridge: true, dnsmasq: false, firewall: false });
    await host.refresh(one, dead);
    await host.refresh(other, (await host.observe([other])).standing[0]!);
    expect((await host.observe([one, other])).standing).toEqual(Array(2).fill({ bridge: true, dnsmasq: true, firewall: true }));
    expect(await dnsmasqPid('well')).toBe(pid);
  });

  it('does not change the rules of others when it comes or goes', async () => {
    await bringUp(plan('stays', 1));
    const handles = async () => (await runProgram('nft', ['-a', 'list', 'table', 'inet', 'vnet'])).split('\n').filter((line) => /# handle/.test(line) && !line.includes('map'));
    const before = await handles();
    const other = plan('passes', 2);
    await host.bringUp(other);
    expect((await handles()).filter((line) => before.includes(line))).toEqual(before);
    await host.tearDown(other, { forget: true });
    expect(await handles()).toEqual(before);
    const second = await openLabHost(lab);
    await second.refresh(up[0]!, { bridge: true, dnsmasq: true, firewall: false });
    await second.close();
    expect((await handles()).length).toBe(before.length);
  });

  it('comes up beside others, all at once', async () => {
    const many = Array.from({ length: 9 }, (_, index) => plan(`many-${index}`, index));
    await Promise.all(many.map((one) => bringUp(one)));
    expect((await host.observe(many)).standing).toEqual(many.map(() => ({ bridge: true, dnsmasq: true, firewall: true })));
    await Promise.all(up.splice(0).map((one) => host.tearDown(one, { forget: true })));
    expect((await host.observe(many)).standing).toEqual(many.map(() => ({ bridge: false, dnsmasq: false, firewall: false })));
    expect(await runProgram('nft', ['list', 'tables'])).toBe('');
  });

  it('keeps its leases when it is stopped, and loses them when it is forgotten', async () => {
    const one = await bringUp(plan('leased', 1));
    const guest = await lab.guest('lab-1', 'leaser');
    const { address } = await guest.lease();
    const [lease, ...rest] = await host.leases(one);
    expect(rest).toEqual([]);
    expect(lease).toMatchObject({ family: 'ipv4', address, mac: guest.mac, hostname: 'leaser' });
    expect(lease!.expiry).toBeGreaterThan(Date.now() / 1000);
    await host.tearDown(one, { forget: false });
    expect(await host.leases(one)).toEqual([lease]);
    await host.tearDown(one, { forget: true });
    expect(await host.leases(one)).toEqual([]);
    await guest.close();
  });

  it('T29: has its static routes and its IPv6 settings', async () => {
    const one = await bringUp(plan('routes', 1, "<route address='10.99.0.0' prefix='16' gateway='192.168.161.5' metric='7'/><route family='ipv6' address='fd99::' prefix='48' gateway='fd00:161::5'/>"));
    expect(await runProgram('ip', ['route', 'show', 'dev', one.bridge])).toMatch(/10\.99\.0\.0\/16 via 192\.168\.161\.5 proto static metric 7/);
    expect(await runProgram('ip', ['-6', 'route', 'show', 'dev', one.bridge])).toMatch(/fd99::\/48 via fd00:161::5 proto static metric 1/);
    const setting = async (key: string) => (await readFile(`/proc/sys/net/${key}`, 'utf8')).trim();
    expect(await Promise.all(['disable_ipv6', 'accept_ra', 'autoconf'].map((key) => setting(`ipv6/conf/lab-1/${key}`)))).toEqual(['0', '0', '0']);
    expect([await setting('ipv4/ip_forward'), await setting('ipv6/conf/all/forwarding')]).toEqual(['1', '1']);
  });

  it('T28: runs dnsmasq without rights, without inotify, and within reach of its files', async () => {
    await bringUp(plan('modest', 1));
    const pid = await dnsmasqPid('modest');
    const fds = await readdir(`/proc/${pid}/fd`);
    const targets = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`)));
    expect(targets.filter((target) => target.includes('inotify'))).toEqual([]);
    expect(await dnsmasqPids()).toEqual([pid]);
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const restricted = (await readFile('/proc/self/setgroups', 'utf8')).trim() === 'deny';
    if (!restricted) expect(/^Uid:\t(\d+)/m.exec(status)?.[1]).not.toBe('0');
    expect(((await stat(join(lab.folder, 'var/dnsmasq/modest.conf'))).mode & 0o777).toString(8)).toBe('600');
  });

  it('follows the host\'s resolv.conf, whether it is written or replaced', async () => {
    const resolvConf = join(lab.folder, 'etc/resolv.conf');
    await mkdir(join(lab.folder, 'etc'));
    const follower = await openLabHost(lab, { resolvConf });
    await bringUp(plan('asks', 1), follower);
    const answers = () => lab.host.resolve('192.168.161.1', outsideName);
    expect(await answers()).toEqual([]);
    await writeFile(resolvConf, `nameserver ${addresses.outside.ipv4}\n`);
    await until('the name server that was written', async () => (await answers()).length > 0);
    await writeFile(`${resolvConf}.new`, '# none\n');
    await rename(`${resolvConf}.new`, resolvConf);
    await until('no name server', async () => (await answers()).length === 0);
    await writeFile(`${resolvConf}.new`, `nameserver ${addresses.outside.ipv4}\n`);
    await rename(`${resolvConf}.new`, resolvConf);
    await until('the name server that was put in place', async () => (await answers()).length > 0);
    await follower.close();
  });
});

describe('a network that cannot be brought up', () => {
  const hurt = () => plan('hurt', 1);

  it('leaves nothing behind, whichever program fails, before its work or after it', async () => {
    const counting = failingAt(0, 'before');
    const counted = await openLabHost(lab, { commands: counting });
    await counted.bringUp(hurt());
    const calls = [...counting.calls];
    await counted.tearDown(hurt(), { forget: true });
    await counted.close();
    // Where the kernel has no act_csum, checksums are left to iptables, and the hook for tc is taken away again.
    const withoutFail = (tool: Tool | undefined) => tool === 'iptables-save' || tool === 'iptables-restore';
    expect(calls.filter((tool) => !withoutFail(tool)).sort()).toEqual(['dnsmasq', 'ip', 'ip', 'nft', 'nft', 'tc', ...(calls.some(withoutFail) ? ['tc'] : [])]);
    const before = await traces();
    for (const when of ['before', 'after'] as const) {
      for (let call = 1; call <= calls.length; call += 1) {
        const commands = failingAt(call, when);
        const failing = await openLabHost(lab, { commands });
        const outcome = await failing.bringUp(hurt()).then(() => undefined, (error: Error) => error.message);
        // Without it a network works for all but old clients.
        if (withoutFail(commands.calls[call - 1])) await failing.tearDown(hurt(), { forget: true });
        else expect(outcome, `call ${call}, ${when}`).toMatch(/made to fail/);
        await failing.close();
        const leases = 'var/dnsmasq/hurt.leases';
        const after = await traces();
        expect({ ...after, files: (after['files'] as string[]).filter((file) => file !== leases) }, `call ${call}, ${when}`).toEqual(before);
        await host.tearDown(hurt(), { forget: true });
      }
    }
  }, 120_000);

  it('T3: says so if the bridge is there already, and does not touch it', async () => {
    await runProgram('ip', ['link', 'add', 'lab-1', 'type', 'bridge']);
    const before = await traces();
    await expect(host.bringUp(hurt())).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringMatching(/'lab-1'.*File exists/) });
    expect(await traces()).toEqual(before);
    await host.tearDown(hurt(), { forget: true });
    expect(await traces()).toEqual(before);
    expect((await host.observe([hurt()])).standing[0]?.bridge).toBe(false);
    await runProgram('ip', ['link', 'delete', 'lab-1']);
  });

  it('says which program is missing and how to get it', async () => {
    const before = await traces();
    const poor = await openLabHost(lab, { toolPaths: { dnsmasq: '/nonexistent/dnsmasq' } });
    await expect(poor.bringUp(hurt())).rejects.toMatchObject({
      code: ErrorCode.SYSTEM_ERROR, message: "cannot find 'dnsmasq' on this host", hint: expect.stringContaining('dnsmasq-base'),
    });
    expect(await traces()).toEqual(before);
    const report = await poor.probe();
    expect(report.missing.join()).toContain('dnsmasq-base');
    expect(report.summary).toMatch(/^Linux .*, ip .*, nft \d/);
    const silent = planFrom("<network><name>silent</name><uuid>4b6bd1a5-3c5e-4f0e-9f11-0000000000ff</uuid><bridge name='lab-silent'/></network>");
    await bringUp(silent, poor);
    expect((await host.observe([silent])).standing).toEqual([{ bridge: true, dnsmasq: true, firewall: true }]);
    await poor.close();
  });

  it('says what dnsmasq says of an option', async () => {
    const before = await traces();
    const wrong = plan('wrong', 1, "<dnsmasq:options xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><dnsmasq:option value='no-such-option=1'/></dnsmasq:options>");
    await expect(host.bringUp(wrong)).rejects.toMatchObject({ code: ErrorCode.INTERNAL_ERROR, message: expect.stringMatching(/dnsmasq failed: bad option at line \d+ of/) });
    expect(await traces()).toEqual(before);
  });

  it('says who else may hold port 53', async () => {
    const other = spawn('dnsmasq', ['--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--group=', '--pid-file=', '--no-resolv', '--no-hosts'], { stdio: 'ignore' });
    await until('the other name server', async () => (await runProgram('ss', ['-lnu'])).includes('0.0.0.0:53'));
    const before = await traces();
    await expect(host.bringUp(hurt())).rejects.toMatchObject({ message: expect.stringContaining('Address already in use'), hint: expect.stringContaining(':53') });
    const after = await traces();
    expect({ ...after, files: [] }).toEqual({ ...before, files: [] });
    other.kill('SIGKILL');
    await new Promise((resolve) => other.once('exit', resolve));
  });

  it('says which element this host does not do, and touches nothing', async () => {
    const before = await traces();
    const cases: [string, string][] = [
      ['network/virtualport', "<virtualport type='openvswitch'/>"],
      ["domain/@register='yes'", "<domain name='x.test' localOnly='yes' register='yes'/>"],
    ];
    for (const [element, inner] of cases) {
      await expect(host.bringUp(plan('asks', 1, inner))).rejects.toMatchObject({ code: ErrorCode.CONFIG_UNSUPPORTED, message: expect.stringContaining(element) });
    }
    expect(await traces()).toEqual(before);
  });

  it('keeps the first error when a file cannot be written', async () => {
    const before = await traces();
    const obstacle = join(lab.folder, 'var/dnsmasq/hurt.hostsfile');
    await mkdir(obstacle);
    await writeFile(join(obstacle, 'x'), '');
    await expect(host.bringUp(hurt())).rejects.toMatchObject({ code: ErrorCode.SYSTEM_ERROR, message: expect.stringContaining('hurt.hostsfile') });
    await runProgram('rm', ['-r', obstacle]);
    expect(await traces()).toEqual(before);
  });
});

describe('a network that cannot be torn down', () => {
  /** Tears a network down while some of ip's and nft's deletions fail, and gives the error. */
  const tearDownFailing = async (one: NetworkPlan, tool: 'ip' | 'nft') => {
    const commands = openCommands();
    const broken: Commands = {
      ...commands,
      run: async (program, argv, options) => {
        if (program === tool && /delete/.test(`${argv.join(' ')} ${options?.input}`)) throw new CommandError(program, 'it stays');
        return commands.run(program, argv, options);
      },
    };
    // Whoever brought it up would start its dnsmasq again.
    await host.close();
    host = await openLabHost(lab);
    const failing = await openLabHost(lab, { commands: broken });
    const error = await failing.tearDown(one, { forget: true }).then(() => undefined, (reason: unknown) => reason);
    await failing.close();
    expect(error).toBeInstanceOf(NetworkError);
    return (error as NetworkError).message;
  };

  it('says all that failed, and does what it can', async () => {
    const one = await bringUp(plan('stuck', 1));
    const obstacle = join(lab.folder, 'var/dnsmasq/stuck.hostsfile');
    await runProgram('rm', [obstacle]);
    await mkdir(obstacle);
    expect(await tearDownFailing(one, 'nft')).toMatch(/'stuck'.*stuck\.hostsfile.*nft failed: it stays/);
    expect(await dnsmasqPids()).toEqual([]);
    expect((await host.observe([one])).standing[0]).toMatchObject({ bridge: false, firewall: true });
    await runProgram('rm', ['-r', obstacle]);
    await host.tearDown(one, { forget: true });
  });

  it('keeps its rules as long as its bridge is there: guests may be on it', async () => {
    const one = await bringUp(plan('kept', 1));
    expect(await tearDownFailing(one, 'ip')).toMatch(/'kept'.*ip failed: it stays/);
    expect((await host.observe([one])).standing[0]).toMatchObject({ bridge: true, firewall: true });
    await host.tearDown(one, { forget: true });
    expect((await host.observe([one])).standing[0]).toMatchObject({ bridge: false, firewall: false });
  });

  it('is no matter if nothing of it stands', async () => {
    const before = await traces();
    await host.tearDown(plan('never', 3), { forget: true });
    expect(await traces()).toEqual(before);
  });
});
