/** The places that other programs' firewalls offer: what is put there, in what order, and what a watch makes of one that is not there yet. */
import { expect, it } from 'vitest';
import { parseSave } from '../../../server/host/firewall/iptables-state.js';
import type { Firewall } from '../../../server/host/firewall/firewall.js';
import { renderPlace } from '../../../server/host/foreign/docker.js';
import { zoneFor } from '../../../server/host/foreign/firewalld.js';
import { besideNeighbours, type Neighbour } from '../../../server/host/foreign/neighbour.js';
import { ErrorCode } from '../../../shared/errors.js';
import { planFrom } from '../../lab/embedded-host.js';

const plan = (forward: string, zone = '') => planFrom(`<network><name>n</name><uuid>4b6bd1a5-3c5e-4f0e-9f70-000000000001</uuid>${forward}
  <bridge name='br9' ${zone}/><ip address='10.1.1.1' prefix='24'/></network>`);
const nat = plan("<forward mode='nat'/>");

const filter = (rules: string) => parseSave(`*filter\n:FORWARD DROP [0:0]\n${rules}\nCOMMIT\n`).get('filter')!;
const docker = ':DOCKER-USER - [0:0]\n-A DOCKER-USER -j RETURN';
const ours = `:DOCKER-USER - [0:0]\n:VNET-ACCEPT - [0:0]\n-A DOCKER-USER -j VNET-ACCEPT\n-A DOCKER-USER -j RETURN
-A VNET-ACCEPT -i docker+ -j RETURN\n-A VNET-ACCEPT -i br1 -j ACCEPT\n-A VNET-ACCEPT -o br1 -j ACCEPT`;

it('Docker\'s place gets one jump, and lines for each bridge', () => {
  expect(renderPlace(filter(docker), ['br1'], [], ['br1'])).toBe(`*filter
:VNET-ACCEPT -
-A VNET-ACCEPT -i docker+ -j RETURN
-A VNET-ACCEPT -o docker+ -j RETURN
-A VNET-ACCEPT -i br-+ -j RETURN
-A VNET-ACCEPT -o br-+ -j RETURN
-A VNET-ACCEPT -i br1 -j ACCEPT
-A VNET-ACCEPT -o br1 -j ACCEPT
-I DOCKER-USER -j VNET-ACCEPT
COMMIT
`);
  const second = renderPlace(filter(ours), ['br2'], [], []);
  expect(second).toContain('-A VNET-ACCEPT -i br1 -j ACCEPT\n-A VNET-ACCEPT -o br1 -j ACCEPT\n-A VNET-ACCEPT -i br2 -j ACCEPT');
  expect(second).toContain('-D DOCKER-USER -j VNET-ACCEPT\n-I DOCKER-USER -j VNET-ACCEPT');
});

it('what stands is not done again, what was moved is, and the last one takes all away', () => {
  expect(renderPlace(filter(ours), ['br1'], [], [])).toBe('');
  expect(renderPlace(filter(ours.replace('-A DOCKER-USER -j VNET-ACCEPT\n-A DOCKER-USER -j RETURN', '-A DOCKER-USER -j RETURN\n-A DOCKER-USER -j VNET-ACCEPT')), ['br1'], [], [])).not.toBe('');
  expect(renderPlace(filter(ours), [], ['br2'], [])).toBe('');
  expect(renderPlace(filter(ours), [], ['br1'], [])).toBe('*filter\n-D DOCKER-USER -j VNET-ACCEPT\n-F VNET-ACCEPT\nCOMMIT\n*filter\n-X VNET-ACCEPT\nCOMMIT\n');
  // Docker has gone, or was never there.
  expect(renderPlace(filter(':VNET-ACCEPT - [0:0]'), ['br1'], [], [])).toBe('*filter\n-F VNET-ACCEPT\nCOMMIT\n*filter\n-X VNET-ACCEPT\nCOMMIT\n');
  expect(renderPlace(filter(':OTHER - [0:0]'), ['br1'], [], [])).toBe('');
});

it('with iptables as our own firewall, our rules are asked before anything is accepted', () => {
  const judged = renderPlace(filter(`${docker}\n:VNET_FORWARD - [0:0]`), ['br1', 'br2'], [], ['br1']);
  expect(judged).toContain('-A VNET-ACCEPT -i br1 -j VNET_FORWARD\n-A VNET-ACCEPT -o br1 -j VNET_FORWARD\n-A VNET-ACCEPT -i br1 -j ACCEPT');
  expect(judged).not.toContain('br2 -j VNET_FORWARD');
  const standing = filter(`${ours}\n:VNET_FORWARD - [0:0]\n-A VNET-ACCEPT -i br1 -j VNET_FORWARD`);
  expect(renderPlace(standing, ['br1'], [], ['br1'])).toBe('');
  expect(renderPlace(standing, ['br2'], [], ['br2'])).toContain('-i br1 -j VNET_FORWARD');
  expect(renderPlace(standing, ['br2'], ['br1'], ['br2'])).not.toContain('br1');
});

it('firewalld\'s zone is the one that is asked for, or the first of the usual ones', () => {
  const zones = (...names: string[]) => new Set(names);
  const route = plan("<forward mode='route'/>");
  expect(zoneFor(nat, zones('public', 'trusted', 'libvirt'))).toBe('libvirt');
  expect(zoneFor(nat, zones('vnet', 'libvirt'))).toBe('vnet');
  expect(zoneFor(nat, zones('libvirt-routed', 'trusted'))).toBe('trusted');
  expect(zoneFor(route, zones('libvirt', 'libvirt-routed'))).toBe('libvirt-routed');
  expect(zoneFor(plan('', "zone='work'"), zones('work', 'libvirt'))).toBe('work');
  expect(zoneFor(nat, zones('public'))).toBeUndefined();
  expect(zoneFor(nat, undefined)).toBeUndefined();
});

it.each([[undefined, 'zone work requested for network n but firewalld is not active'], [new Set(['public']), "zone work requested for network n is none of firewalld's"]])(
  'a zone that cannot be had is an internal error, as libvirt has it', (zones, message) => {
    expect(() => zoneFor(plan('', "zone='work'"), zones)).toThrow(expect.objectContaining({ code: ErrorCode.INTERNAL_ERROR, message: expect.stringContaining(message) }));
  });

it.each([['iptables', ['own', 'beside', 'beside gone', 'own gone']], ['nftables', ['beside', 'own', 'beside gone', 'own gone']]])(
  'beside %s, what may refer to the other comes after it and goes before it', async (name, expected) => {
    const done: string[] = [];
    const say = (what: string) => async () => void done.push(what);
    const firewall: Firewall = {
      name, tools: [], require: say('require'), apply: say('own'), update: say('own'), remove: say('own gone'), tidy: say('tidied'), present: async () => [true], holdsAny: async () => false,
      notice: async () => ({ tool: 'nft', argv: ['monitor'], concerns: /\bvnet\b/ }),
    };
    const neighbour: Neighbour = { concerns: /\bPLACE\b/, apply: say('beside'), remove: say('beside gone'), present: async () => [false], lookEveryMs: async () => 7 };
    const both = besideNeighbours(firewall, [neighbour]);
    await both.apply([nat]);
    await both.remove(nat);
    expect(done).toEqual(expected);
    expect(await both.present([nat])).toEqual([false]);
    expect(await both.notice()).toEqual({ tool: 'nft', argv: ['monitor'], concerns: /\bvnet\b|\bPLACE\b/, everyMs: 7 });
    await expect(besideNeighbours({ ...firewall, notice: async () => { throw new Error('none'); } }, [neighbour]).notice()).resolves.toMatchObject({ everyMs: expect.any(Number) });
  });

it('what is to be removed beside is tried once, and ours is removed whatever becomes of it', async () => {
  const done: string[] = [];
  const firewall = { name: 'nftables', remove: async () => void done.push('own') } as unknown as Firewall;
  const neighbour = { remove: async () => { throw new Error('busy'); } } as unknown as Neighbour;
  await expect(besideNeighbours(firewall, [neighbour]).remove(nat)).rejects.toThrow('busy');
  expect(done).toEqual(['own']);
});
