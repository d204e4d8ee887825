/** Updates of the Linux host: what they touch, what they leave, and that a failure at any step leaves all as it was. */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Host, NetworkPlan } from '../../server/driver/host.js';
import { CommandError, openCommands, type Commands } from '../../server/host/command.js';
import { applyUpdate, type UpdateCommandWord, type UpdateSectionWord } from '../../shared/definition/index.js';
import { ErrorCode } from '../../shared/errors.js';
import { openLabHost, planFrom } from './embedded-host.js';
import { openLab, runProgram, type Lab } from './lab.js';

const bridge = 'lab-upd';
const old = planFrom(`<network><name>upd</name><uuid>4b6bd1a5-3c5e-4f0e-9f11-0000000000d1</uuid><forward mode='nat'/>
  <bridge name='${bridge}' stp='off' delay='0'/><mac address='52:54:00:11:01:d1'/><domain name='old.test'/>
  <ip address='192.168.171.1' prefix='24'><dhcp><range start='192.168.171.10' end='192.168.171.20'/></dhcp></ip></network>`);
const other = planFrom(`<network><name>other</name><uuid>4b6bd1a5-3c5e-4f0e-9f11-0000000000d2</uuid><forward mode='nat'/>
  <bridge name='lab-oth' stp='off' delay='0'/><mac address='52:54:00:11:01:d2'/><ip address='192.168.172.1' prefix='24'/></network>`);

type Change = [section: UpdateSectionWord, command: UpdateCommandWord, xml: string];

function changed(plan: NetworkPlan, ...changes: Change[]): NetworkPlan {
  const definition = changes.reduce((before, [section, command, xml]) => applyUpdate(before, { section, command, xml }), plan.definition);
  return { ...plan, definition };
}

const hostEntry: Change = ['ip-dhcp-host', 'add-last', "<host mac='52:54:00:22:00:07' name='seven' ip='192.168.171.77'/>"];
const dnsEntry: Change = ['dns-host', 'add-last', "<host ip='192.168.171.99'><hostname>printer</hostname></host>"];
const range: Change = ['ip-dhcp-range', 'add-last', "<range start='192.168.171.30' end='192.168.171.40'/>"];
const txt: Change = ['dns-txt', 'add-last', "<txt name='note' value='x'/>"];
const domain: Change = ['domain', 'modify', "<domain name='new.test'/>"];
const second: Change = ['ip', 'add-last', "<ip address='192.168.173.1' prefix='24'/>"];
const ipv6: Change = ['ip', 'add-last', "<ip family='ipv6' address='fd00:171::1' prefix='64'><dhcp><range start='fd00:171::10' end='fd00:171::20'/></dhcp></ip>"];
const uplink: Change = ['forward-interface', 'add-last', "<interface dev='up0'/>"];

let lab: Lab;
let host: Host;

beforeAll(async () => {
  lab = await openLab();
  host = await openLabHost(lab);
}, 400_000);
afterEach(async () => {
  await host.tearDown(old, { forget: true });
  await host.tearDown(other, { forget: true });
});
afterAll(async () => {
  await host?.close();
  await lab?.close();
});

/** All of the host that the networks are. */
async function state() {
  const files = (await readdir(join(lab.folder, 'var/dnsmasq'))).sort();
  return {
    addresses: (await runProgram('ip', ['-o', 'addr', 'show', 'dev', bridge])).split('\n').map((line) => line.replace(/^\d+: /, '').replace(/ tentative/, '')).filter((line) => !line.includes('fe80')).sort(),
    routes: (await runProgram('ip', ['route', 'show', 'dev', bridge])) + (await runProgram('ip', ['-6', 'route', 'show', 'dev', bridge])).replaceAll(/^(fe80|multicast).*\n/gm, ''),
    rules: (await runProgram('nft', ['list', 'ruleset'])).split('\n').sort(),
    ipv6: await readFile(`/proc/sys/net/ipv6/conf/${bridge}/disable_ipv6`, 'utf8'),
    link: /mtu \d+/.exec(await runProgram('ip', ['link', 'show', bridge]))?.[0],
    files: await Promise.all(files.filter((name) => !name.endsWith('.leases')).map(async (name) => [name, await readFile(join(lab.folder, 'var/dnsmasq', name), 'utf8')])),
    dnsmasq: (await readFile(`/proc/${(await pid().catch(() => '')) || 'none'}/cmdline`, 'utf8').catch(() => '')).includes('upd.conf'),
  };
}

const pid = async () => (await readFile(join(lab.folder, 'run/dnsmasq/upd.pid'), 'utf8')).trim();
const handles = async () => (await runProgram('nft', ['-a', 'list', 'table', 'inet', 'vnet'])).split('\n').filter((line) => /# handle \d+$/.test(line));

/** A door that fails at one call, before or after the program has done its work. */
function failingAt(call: number, when: 'before' | 'after'): Commands & { count(): number } {
  const real = openCommands();
  let calls = 0;
  const pass = async <T>(tool: Parameters<Commands['run']>[0], step: () => Promise<T>): Promise<T> => {
    if (++calls !== call) return step();
    if (when === 'after') await step().catch(() => undefined);
    throw new CommandError(tool, 'made to fail');
  };
  return {
    count: () => calls,
    require: (tool) => real.require(tool),
    run: (tool, argv, options) => pass(tool, () => real.run(tool, argv, options)),
    read: (tool, argv) => pass(tool, () => real.read(tool, argv)),
    follow: (tool, argv, onLine) => real.follow(tool, argv, onLine),
  };
}

const cases: [string, Change[]][] = [
  ['a DHCP host', [hostEntry]], ['a DNS host', [dnsEntry]], ['a range', [range]], ['a TXT record', [txt]], ['the domain', [domain]], ['an address', [second]],
  ['an IPv6 address with DHCP', [ipv6]], ['a forward interface', [uplink]], ['everything at once', [hostEntry, dnsEntry, range, txt, domain, second, ipv6, uplink]],
];

describe.each(cases)('an update of %s', (_, changes) => {
  const now = changed(old, ...changes);

  it('leads to what a start from the new plan would be, and back, and again', async () => {
    await host.bringUp(now);
    const wanted = await state();
    await host.tearDown(now, { forget: true });
    await host.bringUp(old);
    const before = await state();
    expect(before).not.toEqual(wanted);
    for (let round = 0; round < 2; round += 1) {
      await host.update(old, now);
      expect(await state()).toEqual(wanted);
      // Once more from the same plan: as a daemon does that takes up what was cut off.
      await host.update(old, now);
      expect(await state()).toEqual(wanted);
      await host.update(now, old);
      expect(await state()).toEqual(before);
    }
  });

  it('leaves all as it was if a program fails, whichever, before its work or after it', async () => {
    // One host at a time: each keeps what it has brought up as it is.
    const alone = async <T>(step: (one: Host) => Promise<T>, options: { commands?: Commands } = {}): Promise<T> => {
      const one = await openLabHost(lab, options);
      try {
        await one.observe([old]);
        return await step(one);
      } finally {
        await one.close();
      }
    };
    await alone((one) => one.bringUp(old));
    const before = await state();
    const counting = failingAt(0, 'before');
    const [first, last] = await alone(async (one) => {
      const found = counting.count();
      await one.update(old, now);
      const done = counting.count();
      await one.update(now, old);
      return [found, done];
    }, { commands: counting }) as [number, number];
    expect(await state()).toEqual(before);
    for (const when of ['before', 'after'] as const) {
      for (let call = first + 1; call <= last; call += 1) {
        const failure = await alone((one) => one.update(old, now).then(() => undefined, (error: Error) => error), { commands: failingAt(call, when) });
        // The firewall tries a transaction again on what it finds: then nothing has failed.
        if (failure === undefined) await alone((one) => one.update(now, old));
        else expect(failure.message).toContain('made to fail');
        expect(await state(), `call ${call}, ${when}: ${failure?.message}`).toEqual(before);
      }
    }
  }, 300_000);
});

describe('a file that cannot be written', () => {
  it.each(['.upd.conf.draft.tmp', 'upd.hostsfile', 'upd.addnhosts'])('%s: leaves all as it was', async (name) => {
    await host.bringUp(old);
    const before = await state();
    const path = join(lab.folder, 'var/dnsmasq', name);
    await rm(path, { force: true });
    await mkdir(join(path, 'obstacle'), { recursive: true });
    const now = changed(old, hostEntry, dnsEntry, range, second);
    await expect(host.update(old, now)).rejects.toMatchObject({ message: expect.stringContaining(name) });
    await rm(path, { recursive: true });
    await host.update(now, old);
    expect(await state()).toEqual(before);
  });
});

describe('what an update does not concern', () => {
  it('is not touched: rules and dnsmasq by a host, other chains by rules, the bridge by a restart', async () => {
    await host.bringUp(old);
    await host.bringUp(other);
    const [rules, process] = [await handles(), await pid()];
    const more = changed(old, hostEntry, dnsEntry);
    await host.update(old, more);
    expect([await handles(), await pid()]).toEqual([rules, process]);
    await host.update(more, old);
    expect([await handles(), await pid()]).toEqual([rules, process]);
    const via = changed(old, uplink);
    await host.update(old, via);
    expect(await pid()).toBe(process);
    const after = await handles();
    expect(after).not.toEqual(rules);
    const others = rules.filter((line) => line.includes('lab-oth') || line.includes('192.168.172'));
    expect(others.length).toBeGreaterThan(3);
    expect(after).toEqual(expect.arrayContaining(others));
  });

  it('a configuration that dnsmasq refuses leaves the old one running', async () => {
    await host.bringUp(old);
    const [before, process] = [await state(), await pid()];
    const wrong = { ...old, definition: { ...old.definition, dnsmasqOptions: ['no-such-option=1'] } };
    await expect(host.update(old, wrong)).rejects.toMatchObject({ code: ErrorCode.INTERNAL_ERROR, message: expect.stringContaining('bad option') });
    expect([await state(), await pid()]).toEqual([before, process]);
  });

  it('a configuration that only fails when it runs brings the old one back', async () => {
    await host.bringUp(old);
    const before = await state();
    const wrong = { ...old, definition: { ...old.definition, dnsmasqOptions: ['tftp-root=/nonexistent', 'enable-tftp'] } };
    await expect(host.update(old, wrong)).rejects.toMatchObject({ message: expect.stringMatching(/dnsmasq failed/) });
    expect(await state()).toEqual(before);
  });

  it('the rules that are guarded are the new ones, and after a failure the old ones', async () => {
    await host.bringUp(old);
    const via = changed(old, uplink);
    await host.update(old, via);
    const wanted = (await state()).rules;
    await runProgram('nft', ['flush', 'ruleset']);
    await expect.poll(async () => (await state()).rules, { timeout: 5000 }).toEqual(wanted);
    await host.update(via, old);
    const first = (await state()).rules;
    const wrong = { ...via, definition: { ...via.definition, dnsmasqOptions: ['no-such-option=1'] } };
    await expect(host.update(old, wrong)).rejects.toThrow('bad option');
    await runProgram('nft', ['flush', 'ruleset']);
    await expect.poll(async () => (await state()).rules, { timeout: 5000 }).toEqual(first);
  });
});

describe('settings of the bridge', () => {
  it('change while it stands; what cannot is named', async () => {
    const sized = { ...old, definition: { ...old.definition, mtu: 1450 } };
    await host.bringUp(sized);
    const slow = { ...old, definition: { ...old.definition, mtu: 1400, bridge: { name: bridge, stp: true, delay: 3 }, bandwidth: { inbound: { average: 1000 }, outbound: { average: 500 } } } };
    expect((await host.preview(sized, slow)).map(({ part, hitless }) => `${part} ${hitless}`)).toEqual(['link false', 'link true', 'link false', 'dnsmasq false', 'queue false']);
    await host.update(sized, slow);
    expect(await runProgram('ip', ['-d', 'link', 'show', bridge])).toMatch(/mtu 1400 [\s\S]*forward_delay 300 [\s\S]*stp_state 1 /);
    const faster = { ...slow, definition: { ...slow.definition, bandwidth: { inbound: { average: 2000 } } } };
    await host.update(slow, faster);
    const classes = await runProgram('tc', ['class', 'show', 'dev', bridge]);
    expect(classes).toMatch(/class htb 1:2 .* rate 16Mbit/);
    await host.update(faster, { ...faster, definition: { ...faster.definition, bandwidth: {} } });
    expect(await runProgram('tc', ['class', 'show', 'dev', bridge])).toBe('');
    const moved = { ...slow, bridge: 'lab-new', definition: { ...slow.definition, bridge: { name: 'lab-new', stp: true, delay: 3 } } };
    await expect(host.update(slow, moved)).rejects.toMatchObject({ code: ErrorCode.CONFIG_UNSUPPORTED, message: expect.stringContaining('network/bridge/@name') });
    await expect(host.preview(slow, { ...slow, definition: { ...slow.definition, forward: { mode: 'open', interfaces: [], addresses: [] } } }))
      .rejects.toMatchObject({ code: ErrorCode.CONFIG_UNSUPPORTED, message: expect.stringContaining('network/forward/@mode') });
    await expect(host.update(slow, { ...slow, definition: { ...slow.definition, mtu: undefined } as never })).rejects.toThrow('network/mtu');
    // What the outbound limit made beside the bridge goes with it.
    expect(await runProgram('ip', ['-o', 'link', 'show', 'type', 'ifb'])).toBe('');
  });
});
