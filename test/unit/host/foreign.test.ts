/** What becomes of a guest's packet in other programs' rules, read from what nft and the older iptables print. */
import { describe, expect, it } from 'vitest';
import { reliesOnForwarding, stopOf } from '../../../server/host/foreign/chains.js';
import { parseIptablesChains } from '../../../server/host/foreign/iptables-rules.js';
import { parseNftChains } from '../../../server/host/foreign/nft-rules.js';
import { describeStop, ownerOf } from '../../../server/host/foreign/owner.js';
import type { Packet } from '../../../server/host/foreign/packet.js';

const out: Packet = { hook: 'forward', family: 'ipv4', iif: 'virbr3', oif: 'eth0', saddr: '192.168.9.2', protocol: 'tcp', state: 'new' };
const dhcp: Packet = { hook: 'input', family: 'ipv4', iif: 'virbr3', protocol: 'udp', dport: 67, state: 'new' };

const match = (left: object, right: unknown, op = '==') => ({ match: { op, left, right } });
const iif = { meta: { key: 'iifname' } };
const ct = { ct: { key: 'state' } };

/** A table of nft with one base chain and perhaps others. */
function table(base: { family?: string; hook?: string; policy?: string; name?: string }, rules: object[][], others: Record<string, object[][]> = {}) {
  const { family = 'inet', hook = 'forward', policy = 'accept', name = 'fw' } = base;
  const place = { family, table: name };
  const chain = (owner: string, list: object[][]) => list.map((expr, handle) => ({ rule: { ...place, chain: owner, handle, expr } }));
  return parseNftChains(JSON.stringify({ nftables: [
    { chain: { ...place, name: 'base', type: 'filter', hook, prio: 0, policy } }, ...Object.keys(others).map((other) => ({ chain: { ...place, name: other } })),
    ...chain('base', rules), ...Object.entries(others).flatMap(([other, list]) => chain(other, list)),
  ] }));
}

describe('rules of nft', () => {
  const accept = { accept: null };
  const drop = { drop: null };
  it.each([
    ['an empty chain that accepts', table({}, []), false],
    ['a policy of drop', table({ policy: 'drop' }, []), true],
    ['a policy of drop at another hook', table({ policy: 'drop', hook: 'input' }, []), false],
    ['a policy of drop of another family', table({ policy: 'drop', family: 'ip6' }, []), false],
    ['answers alone are accepted', table({ policy: 'drop' }, [[match(ct, ['established', 'related'], 'in'), accept]]), true],
    ['another interface is accepted', table({ policy: 'drop' }, [[match(iif, 'virbr4'), accept]]), true],
    ['this interface is accepted', table({ policy: 'drop' }, [[match(iif, 'virbr3'), accept]]), false],
    ['a set with this interface', table({ policy: 'drop' }, [[match(iif, { set: ['a', 'virbr3'] }), accept]]), false],
    ['a wildcard', table({ policy: 'drop' }, [[match(iif, 'virbr*'), accept]]), false],
    ['every other interface is dropped', table({}, [[match(iif, 'virbr3', '!='), drop]]), false],
    ['an address in a prefix', table({}, [[match({ payload: { protocol: 'ip', field: 'saddr' } }, { prefix: { addr: '192.168.0.0', len: 16 } }), drop]]), true],
    ['an address in a range', table({}, [[match({ payload: { protocol: 'ip', field: 'saddr' } }, { range: ['192.168.9.1', '192.168.9.3'] }), { reject: null }]]), true],
    ['an address in another prefix', table({}, [[match({ payload: { protocol: 'ip', field: 'saddr' } }, { prefix: { addr: '10.0.0.0', len: 8 } }), drop]]), false],
    ['a header of the other family', table({}, [[match({ payload: { protocol: 'ip6', field: 'saddr' } }, '::1', '!='), drop]]), false],
    ['a named set, which cannot be told', table({}, [[match(iif, '@lan'), drop]]), false],
    ['a match that is not known', table({}, [[match({ meta: { key: 'mark' } }, 1), drop]]), false],
    ['a match of iptables that is not known', table({}, [[{ xt: { type: 'match', name: 'physdev' } }, drop]]), false],
    ['iptables\' REJECT behind a comment', table({}, [[{ xt: { type: 'match', name: 'comment' } }, { xt: { type: 'target', name: 'REJECT' } }]]), true],
    ['a jump that comes back', table({}, [[{ jump: { target: 'a' } }], [drop]], { a: [[{ return: null }], [accept]] }), true],
    ['a jump that accepts', table({}, [[{ jump: { target: 'a' } }], [drop]], { a: [[accept]] }), false],
    ['a goto that comes to its end', table({}, [[{ goto: { target: 'a' } }], [drop]], { a: [] }), false],
    ['a verdict map', table({}, [[{ vmap: { key: iif, data: { set: [['virbr3', { drop: null }]] } } }]]), true],
    ['a verdict map without it', table({}, [[{ vmap: { key: ct, data: { set: [['invalid', { drop: null }], ['new', { continue: null }]] } } }]]), false],
    ['chains that jump in a circle', table({}, [[{ jump: { target: 'a' } }]], { a: [[{ jump: { target: 'a' } }]] }), false],
  ] as const)('%s', (_, chains, stopped) => {
    expect(stopOf(chains, out) !== undefined).toBe(stopped);
  });

  it('is asked of every base chain: one that accepts does not speak for the others', () => {
    const both = [...table({ name: 'kind' }, [[accept]]), ...table({ name: 'stern', policy: 'drop' }, [])];
    expect(stopOf(both, out)?.base.table).toBe('inet stern');
    expect(stopOf([...both].reverse(), out)?.base.table).toBe('inet stern');
  });

  it('tells ports of what guests ask the host', () => {
    const dport = (port: unknown) => match({ payload: { protocol: 'udp', field: 'dport' } }, port);
    const input = (rules: object[][]) => stopOf(table({ hook: 'input', policy: 'drop' }, rules), dhcp) !== undefined;
    expect([input([]), input([[dport(53), accept]]), input([[dport({ set: [53, 67] }), accept]]), input([[dport({ range: [60, 70] }), accept]])]).toEqual([true, true, false, false]);
  });
});

const docker = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
:DOCKER-FORWARD - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER-USER -j RETURN
-A DOCKER-FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -i docker0 ! -o docker0 -m comment --comment "out of it" -j ACCEPT
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
`;

describe('rules of the older iptables', () => {
  const stopped = (text: string, packet: Packet = out) => stopOf(parseIptablesChains(text, 'ipv4'), packet);
  it('stop guests where Docker is, and not where they are let through', () => {
    expect(stopped(docker)).toMatchObject({ base: { name: 'FORWARD', table: 'filter' } });
    expect(stopped(docker.replace('-A DOCKER-USER -j RETURN', '-A DOCKER-USER -i virbr3 -j ACCEPT\n-A DOCKER-USER -j RETURN'))).toBeUndefined();
    expect(stopped(docker.replaceAll('docker0', 'virbr+'))).toBeUndefined();
    expect(stopped(docker, { ...out, iif: 'docker0' })).toBeUndefined();
    expect(stopped(docker, { ...out, family: 'ipv6' })).toBeUndefined();
  });

  it.each([
    ['-A FORWARD -s 192.168.0.0/16 -j REJECT --reject-with icmp-port-unreachable', true],
    ['-A FORWARD ! -s 192.168.0.0/16 -j DROP', false],
    ['-A FORWARD -m mark --mark 0x1 -j DROP', false],
    ['-A FORWARD -p udp -j DROP', false],
    ['-A FORWARD -m state --state NEW -j DROP', true],
    ['-A FORWARD -j LOG --log-prefix "DROP me"', false],
  ])('%s', (rule, ends) => {
    expect(stopped(`*filter\n:FORWARD ACCEPT [0:0]\n${rule}\nCOMMIT\n`) !== undefined).toBe(ends);
  });
});

describe('whose rules they are', () => {
  const owner = (chains: ReturnType<typeof parseIptablesChains>, packet = out) => {
    const stop = stopOf(chains, packet)!;
    const { name, advice } = ownerOf(stop, chains);
    return [name, advice('virbr3', packet), describeStop(stop)];
  };
  const table4 = (chains: string, hook = 'FORWARD') => parseIptablesChains(`*filter\n:${hook} DROP [0:0]\n${chains}\nCOMMIT\n`, 'ipv4');
  it('shows in the names of their chains, and each has advice that fits', () => {
    const [name, advice, where] = owner(parseIptablesChains(docker, 'ipv4'));
    expect(name).toBe('Docker');
    expect(advice).toContain('iptables-legacy -I DOCKER-USER -i virbr3 -j ACCEPT && iptables-legacy -I DOCKER-USER -o virbr3 -j ACCEPT');
    expect(where).toBe('the policy of chain FORWARD (iptables-legacy, table filter) is drop');
    expect(owner(table4(':ufw-before-forward - [0:0]')).slice(0, 2)).toEqual(['ufw', 'ufw route allow in on virbr3 && ufw route allow out on virbr3']);
    expect(owner(table4(':ufw-before-input - [0:0]', 'INPUT'), dhcp).slice(0, 2)).toEqual(['ufw', 'ufw allow in on virbr3 to any port 67']);
    expect(owner(table4(':KUBE-FORWARD - [0:0]'))[0]).toBe('Kubernetes');
    expect(owner(table4(':NETAVARK_FORWARD - [0:0]'))[0]).toBe('Podman');
    expect(owner(table({ name: 'firewalld' }, [[{ reject: null }]]))).toEqual(['firewalld', 'firewall-cmd --zone=trusted --add-interface=virbr3',
      'a rule of chain base (nft, table inet firewalld) refuses them (handle 0)']);
    expect(owner(table({ policy: 'drop' }, [])).slice(0, 2)).toEqual(['another program',
      'nft insert rule inet fw base iifname virbr3 accept && nft insert rule inet fw base oifname virbr3 accept']);
  });
});

describe('whether others rely on forwarding', () => {
  it('shows in translation and in interfaces that are let through', () => {
    const older = (text: string) => reliesOnForwarding(parseIptablesChains(text, 'ipv4'), 'ipv4');
    expect(older(docker)).toBe(true);
    expect(reliesOnForwarding(parseIptablesChains(docker, 'ipv4'), 'ipv6')).toBe(false);
    expect(older('*filter\n:FORWARD ACCEPT [0:0]\n:x - [0:0]\n-A FORWARD -j x\n-A x -i eth1 -j ACCEPT\nCOMMIT\n')).toBe(true);
    expect(older('*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n-A INPUT -i eth1 -j ACCEPT\n-A FORWARD -i lo -j ACCEPT\nCOMMIT\n')).toBe(false);
    const accept = { accept: null };
    expect(reliesOnForwarding(table({}, [[match(ct, ['established'], 'in'), accept]]), 'ipv4')).toBe(false);
    expect(reliesOnForwarding(table({}, [[match(iif, 'eth1'), accept]]), 'ipv4')).toBe(true);
    expect(reliesOnForwarding(table({ hook: 'postrouting' }, [[{ masquerade: null }]]), 'ipv6')).toBe(true);
  });
});
