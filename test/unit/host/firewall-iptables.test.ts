/**
 * What iptables-restore is told, in each state of the tables. The rules of each
 * network are beside its name in golden-iptables; UPDATE_GOLDEN=1 writes them
 * anew, and the difference is then for a person to read.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { NetworkPlan } from '../../../server/driver/host.js';
import { CommandError, type Commands, type Tool } from '../../../server/host/command.js';
import { openIptables } from '../../../server/host/firewall/iptables.js';
import { chainsOf, chainSuffix, families, suffixOf, type NetworkChain } from '../../../server/host/firewall/iptables-rules.js';
import { parseSave, renderChange, stands, type Tables } from '../../../server/host/firewall/iptables-state.js';
import { goldenCases } from './golden-cases.js';

const folder = new URL('golden-iptables/', import.meta.url).pathname;
const cases = goldenCases();
const plans = Object.fromEntries(cases.map(({ name, plan }) => [name, plan])) as Record<string, NetworkPlan>;
const [nat, isolated, routed] = [plans['nat']!, plans['isolated']!, plans['routed']!];

const nothing = (): Tables => parseSave('');
const apply = (tables: Tables, plan: NetworkPlan) => renderChange(tables, [plan], chainsOf(plan, 'ipv4'));
const remove = (tables: Tables, plan: NetworkPlan) => renderChange(tables, [plan], []);

/** The tables after iptables-restore has read its input: what it does, in the few commands that we use. */
function restored(before: Tables, input: string): Tables {
  const tables: Tables = new Map([...before].map(([name, chains]) => [name, new Map([...chains].map(([chain, rules]) => [chain, [...rules]]))]));
  let chains = new Map<string, string[]>();
  for (const line of input.split('\n').filter((text) => text !== '')) {
    const [, verb, chain = '', rest = ''] = /^(\*|:|COMMIT|-[ADFIX] )(\S*) ?(.*)$/.exec(line) ?? [];
    const known = () => chains.get(chain) ?? expect.fail(`no chain for: ${line}`);
    if (verb === '*') tables.set(chain, chains = tables.get(chain) ?? new Map([['FORWARD', []], ['POSTROUTING', []]]));
    else if (verb === ':') chains.set(chain, []);
    else if (verb === '-A ') known().push(rest);
    else if (verb === '-I ') known().unshift(rest);
    else if (verb === '-D ') expect(known().splice(known().indexOf(rest), 1), line).toEqual([rest]);
    else if (verb === '-F ') known().length = 0;
    else if (verb === '-X ') expect([...chains.values()].flat().some((rule) => rule.endsWith(`-j ${chain}`)), line).toBe(!chains.delete(chain));
    else expect(line).toBe('COMMIT');
  }
  return tables;
}

/** What other programs have in the tables. */
const foreign = parseSave(`*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [12:3456]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m comment --comment "a -j VNET_FORWARD" -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
`);

describe('the rules for iptables', () => {
  it.each(cases)('of $name are what they were', ({ name, plan }) => {
    for (const family of families) {
      const chains = chainsOf(plan, family);
      const text = renderChange(nothing(), [plan], chains);
      const file = join(folder, `${name}.${family}`);
      if (process.env['UPDATE_GOLDEN'] === '1' && text !== '') {
        mkdirSync(folder, { recursive: true });
        writeFileSync(file, text);
      }
      expect(text).toBe(text === '' ? '' : readFileSync(file, 'utf8'));
      expect(stands(restored(nothing(), text), chains)).toBe(true);
    }
  });

  it('have a case for every file', () => {
    expect(new Set(readdirSync(folder).map((file) => file.replace(/\.ipv[46]$/, '')))).toEqual(
      new Set(cases.filter(({ plan }) => chainsOf(plan, 'ipv4').length > 0).map(({ name }) => name)));
  });

  it('are in chains whose names fit, differ and tell whose they are', () => {
    const uuids = ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', nat.uuid, nat.uuid.replace(/.$/, (last) => last === '0' ? '1' : '0')];
    const names = uuids.flatMap((uuid) => chainsOf({ ...nat, uuid }, 'ipv4').map(({ name }) => name));
    expect(new Set(names).size).toBe(12);
    for (const name of names) expect(name).toMatch(/^VNET_[LEN][\w-]{22}$/);
    expect(uuids.map(chainSuffix)).toEqual(uuids.map((uuid) => suffixOf(chainsOf({ ...nat, uuid }, 'ipv4')[0]!.name)));
    expect(['VNET_FORWARD', 'VNET_NAT', 'DOCKER-USER', ''].map(suffixOf)).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('refuse what is no interface and no address', () => {
    expect(() => chainsOf({ ...nat, bridge: 'br0 -j ACCEPT' }, 'ipv4')).toThrow('cannot use');
    expect(() => chainsOf({ ...nat, bridge: 'x\nCOMMIT' }, 'ipv6')).toThrow('cannot use');
    expect(() => chainsOf({ ...nat, uuid: 'F -j ACCEPT' }, 'ipv4')).toThrow('no UUID');
  });
});

describe('a change of the tables', () => {
  it('is the same done twice', () => {
    const once = restored(foreign, apply(foreign, nat));
    const twice = restored(once, apply(once, nat));
    expect(twice).toEqual(once);
  });

  it('comes before what others have, and touches none of it; taken back, nothing is left', () => {
    const up = restored(restored(foreign, apply(foreign, nat)), apply(restored(foreign, apply(foreign, nat)), isolated));
    expect(up.get('filter')?.get('FORWARD')).toEqual(['-j VNET_FORWARD', ...foreign.get('filter')!.get('FORWARD')!]);
    const half = restored(up, remove(up, nat));
    expect(stands(half, chainsOf(isolated, 'ipv4'))).toBe(true);
    expect(half.get('nat')).toEqual(foreign.get('nat'));
    expect(restored(half, remove(half, isolated))).toEqual(foreign);
    expect(remove(foreign, nat)).toBe('');
  });

  it('leaves the chains of other networks alone', () => {
    const up = restored(foreign, apply(foreign, nat));
    const input = apply(up, routed);
    for (const { name } of chainsOf(nat, 'ipv4')) expect(input).not.toContain(name);
    expect(input).not.toContain(':VNET_FORWARD');
  });

  it('for several networks at once is that of one after the other', () => {
    const all = [nat, isolated, routed];
    const together = restored(foreign, renderChange(foreign, all, all.flatMap((plan) => chainsOf(plan, 'ipv4'))));
    const apart = all.reduce((tables, plan) => restored(tables, apply(tables, plan)), foreign);
    expect(together).toEqual(apart);
  });

  it('takes a bridge over from a network that is gone', () => {
    const stranger = { ...nat, uuid: '1d0c7a52-9a7b-4a55-8a31-0000000000aa' };
    const left = restored(foreign, apply(foreign, stranger));
    expect(restored(left, apply(left, nat))).toEqual(restored(foreign, apply(foreign, nat)));
  });

  it.each<[string, (tables: Tables, chains: NetworkChain[]) => void]>([
    ['a chain is flushed', (tables, [chain]) => { tables.get(chain!.table)!.get(chain!.name)!.length = 0; }],
    ['a chain is gone', (tables, [chain]) => { tables.get(chain!.table)!.delete(chain!.name); tables.get(chain!.table)!.set('VNET_NAT', []); }],
    ['the jump to the shared chain is gone', (tables) => { tables.get('filter')!.get('FORWARD')!.shift(); }],
    ['the shared chain is flushed', (tables) => { tables.get('filter')!.get('VNET_FORWARD')!.length = 0; }],
    ['another rule is in the shared chain', (tables) => { tables.get('filter')!.get('VNET_FORWARD')!.unshift('-j ACCEPT'); }],
  ])('mends: %s', (_, harm) => {
    const whole = restored(foreign, apply(foreign, nat));
    const harmed = restored(whole, '');
    harm(harmed, chainsOf(nat, 'ipv4'));
    expect(stands(harmed, chainsOf(nat, 'ipv4'))).toBe(false);
    expect(restored(harmed, apply(harmed, nat))).toEqual(whole);
  });

  it('removes a jump that others have doubled', () => {
    const doubled = restored(restored(foreign, apply(foreign, nat)), '*filter\n-A FORWARD -j VNET_FORWARD\nCOMMIT\n');
    expect(restored(doubled, remove(doubled, nat))).toEqual(foreign);
  });
});

describe('a change of what a network translates', () => {
  const inOrder = (input: string) => [...input.matchAll(/^\*(\w+)$/gm)].map(([, table]) => table);

  it('lets no packet out untranslated: NAT comes before a permit and goes after it', () => {
    const was = restored(foreign, apply(foreign, routed));
    const becomes = { ...nat, uuid: routed.uuid, bridge: routed.bridge };
    expect(inOrder(apply(was, becomes)).slice(0, 2)).toEqual(['nat', 'filter']);
    const translated = restored(was, apply(was, becomes));
    expect(inOrder(apply(translated, routed))).toEqual(['filter', 'nat', 'nat']);
    expect(restored(translated, apply(translated, routed))).toEqual(was);
  });
});

describe('the iptables firewall', () => {
  /** A door behind which the tables of both families are kept; it notes what was run. */
  function door(refuse: (tool: Tool) => boolean = () => false) {
    const kept = { iptables: nothing(), ip6tables: nothing() };
    const calls: string[] = [];
    const familyOf = (tool: Tool) => tool.split('-')[0] as keyof typeof kept;
    const print = (tables: Tables) => [...tables].map(([table, chains]) => [
      `*${table}`, ...[...chains.keys()].map((chain) => `:${chain} - [0:0]`),
      ...[...chains].flatMap(([chain, rules]) => rules.map((rule) => `-A ${chain} ${rule}`)), 'COMMIT', '',
    ].join('\n')).join('');
    const commands: Commands = {
      require: async () => undefined,
      read: async (tool) => {
        if (tool === 'nft') throw new CommandError('nft', 'Error: No such file or directory');
        return print(kept[familyOf(tool)]);
      },
      run: async (tool, argv, options) => {
        expect(argv).toEqual(['--noflush', '--wait=10']);
        calls.push(tool);
        if (refuse(tool)) throw new CommandError(tool, 'refused');
        kept[familyOf(tool)] = restored(kept[familyOf(tool)], options?.input ?? '');
      },
      follow: () => Promise.reject(new Error('nobody follows')),
    };
    return { kept, calls, firewall: openIptables(commands) };
  }

  it('changes each family with one call, and is done with nothing', async () => {
    const { calls, kept, firewall } = door();
    await firewall.apply([nat, plans['open']!]);
    expect(calls.sort()).toEqual(['ip6tables-restore', 'iptables-restore']);
    expect(await firewall.present([nat, isolated, plans['open']!])).toEqual([true, false, true]);
    expect(await firewall.holdsAny()).toBe(true);
    await firewall.remove(nat);
    await firewall.remove(nat);
    expect(calls).toHaveLength(4);
    expect(kept.iptables.get('filter')).toEqual(new Map([['FORWARD', []], ['POSTROUTING', []]]));
    expect(await firewall.holdsAny()).toBe(false);
  });

  it('sees that a rule was put in the place of another, but not in what it does itself', async () => {
    const { kept, firewall } = door();
    await firewall.apply([nat]);
    expect(await firewall.present([nat])).toEqual([true]);
    await firewall.apply([nat]);
    expect(await firewall.present([nat])).toEqual([true]);
    const chain = chainsOf(nat, 'ipv4').find(({ table }) => table === 'filter')!.name;
    kept.iptables.get('filter')!.get(chain)!.splice(-1, 1, '-j ACCEPT');
    expect(await firewall.present([nat])).toEqual([false]);
    await firewall.apply([nat]);
    expect(await firewall.present([nat])).toEqual([true]);
  });

  it('waits for both families before it says that one has failed', async () => {
    const { calls, firewall } = door((tool) => tool === 'iptables-restore');
    await expect(firewall.apply([nat])).rejects.toThrow('iptables-restore failed: refused');
    expect(calls.sort()).toEqual(['ip6tables-restore', 'iptables-restore']);
  });
});
