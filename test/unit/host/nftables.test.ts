/** Which transactions a change of the networks takes, in each state of the table. */
import { describe, expect, it } from 'vitest';
import { CommandError, type Commands } from '../../../server/host/command.js';
import { openNftables } from '../../../server/host/firewall/nftables.js';
import { chainName, chainsOf, maps, renderBase, renderEnd, renderNetwork, renderRemoval, renderUnneeded } from '../../../server/host/firewall/nftables-rules.js';
import type { NetworkPlan } from '../../../server/driver/host.js';
import { goldenCases } from './golden-cases.js';

const plans = Object.fromEntries(goldenCases().map(({ name, plan }) => [name, plan])) as Record<string, NetworkPlan>;
const [nat, isolated] = [plans['nat']!, plans['isolated']!];

/** What nft would list if these networks stood. */
function listing(networks: NetworkPlan[], base = true): string {
  const elements = (map: string) => networks.flatMap((plan) => chainsOf(plan).filter((chain) => chain.map === map)
    .map(({ name }): [string, object] => [plan.bridge, { jump: { target: name } }]));
  const chains = networks.flatMap(chainsOf);
  return JSON.stringify({ nftables: [
    { metainfo: {} }, { table: { name: 'vnet' } },
    ...maps.map((name) => ({ map: { name, ...(elements(name).length > 0 ? { elem: elements(name) } : {}) } })),
    ...['forward', 'postrouting', ...chains.map(({ name }) => name)].map((name) => ({ chain: { name } })),
    ...(base ? ['forward', 'forward', 'postrouting'] : ['forward']).map((chain) => ({ rule: { chain, expr: [] } })),
    ...chains.flatMap(({ name, rules }) => rules.map((rule) => ({ rule: { chain: name, expr: [rule] } }))),
  ] });
}

/** A door that plays back: what nft lists (undefined: no table), and which transactions it refuses. */
function recorder(lists: (string | undefined)[], refused: string[] = []) {
  const transactions: string[] = [];
  const commands: Commands = {
    require: async () => undefined,
    run: async (tool, argv, options) => {
      expect([tool, argv]).toEqual(['nft', ['-f', '-']]);
      transactions.push(options?.input ?? '');
      if (refused.includes(options?.input ?? '')) throw new CommandError('nft', 'Could not process rule: No such file or directory');
    },
    read: async () => {
      transactions.push('list');
      const listed = lists.shift();
      if (listed === undefined) throw new CommandError('nft', 'Error: No such file or directory');
      return listed;
    },
    follow: async () => ({ ended: Promise.resolve(''), close: () => undefined }),
  };
  return { transactions, firewall: openNftables(commands) };
}

describe('the nftables firewall', () => {
  it('looks once, makes the table with the first network, and adds only what is a network\'s own after that', async () => {
    const { transactions, firewall } = recorder([undefined]);
    await firewall.apply([nat]);
    await firewall.apply([isolated]);
    expect(transactions).toEqual(['list', renderBase() + renderNetwork(nat), renderNetwork(isolated)]);
  });

  it('guards many networks in one transaction', async () => {
    const { transactions, firewall } = recorder([undefined]);
    await firewall.apply([nat, isolated]);
    expect(transactions).toEqual(['list', renderBase() + renderNetwork(nat) + renderNetwork(isolated)]);
  });

  it('leaves a table that stands as it is', async () => {
    const { transactions, firewall } = recorder([listing([isolated])]);
    await firewall.apply([nat]);
    expect(transactions).toEqual(['list', renderNetwork(nat)]);
  });

  it('makes the table again if it was flushed meanwhile', async () => {
    const { transactions, firewall } = recorder([undefined, undefined], [renderNetwork(isolated)]);
    await firewall.apply([nat]);
    await firewall.apply([isolated]);
    expect(transactions.slice(2)).toEqual([renderNetwork(isolated), 'list', renderBase() + renderNetwork(isolated)]);
  });

  it('takes a bridge name over from a network that is gone', async () => {
    const stranger = { ...nat, uuid: '1d0c7a52-9a7b-4a55-8a31-0000000000aa' };
    const { transactions, firewall } = recorder([listing([stranger])]);
    await firewall.apply([nat]);
    expect(transactions[1]).toBe(`${maps.map((map) => `delete element inet vnet ${map} { "virbr0" }\n`).join('')}${renderNetwork(nat)}`);
  });

  it('removes a network and leaves the others without looking at them, and removes the table after the last', async () => {
    const { transactions, firewall } = recorder([listing([nat]), listing([])]);
    await firewall.apply([isolated]);
    await firewall.remove(nat);
    await firewall.remove(isolated);
    await firewall.tidy();
    await firewall.tidy();
    await firewall.remove(isolated);
    expect(transactions.slice(2)).toEqual([renderRemoval(nat), renderRemoval(isolated), 'list', renderEnd()]);
  });

  it('leaves the table as long as there is a network, its own or one that it does not know', async () => {
    const { transactions, firewall } = recorder([listing([]), listing([nat])]);
    await firewall.apply([isolated]);
    await firewall.tidy();
    await firewall.remove(isolated);
    await firewall.tidy();
    expect(transactions.slice(2)).toEqual([renderRemoval(isolated), 'list']);
  });

  it('removes what is left of a network', async () => {
    const half = JSON.parse(listing([nat, isolated])) as {
      nftables: { chain?: { name: string }; rule?: { chain: string }; map?: { name: string; elem?: [string, object][] } }[];
    };
    for (const { map } of half.nftables) if (map?.name === 'nat') delete map.elem;
    half.nftables = half.nftables.filter(({ chain, rule }) => (chain?.name ?? rule?.chain) !== chainName('nat', nat.uuid));
    const { transactions, firewall } = recorder([JSON.stringify(half)], [renderRemoval(nat)]);
    await firewall.remove(nat);
    expect(transactions[2]!.split('\n')).toEqual([
      'delete element inet vnet leave { "virbr0" }', 'delete element inet vnet enter { "virbr0" }',
      ...['flush', 'delete'].flatMap((verb) => ['leave', 'enter'].map((map) => `${verb} chain inet vnet ${chainName(map as 'leave', nat.uuid)}`)), '',
    ]);
  });

  it('tells whose rules are all there', async () => {
    const torn = JSON.parse(listing([nat, isolated])) as { nftables: { rule?: { chain: string } }[] };
    torn.nftables.splice(torn.nftables.findIndex(({ rule }) => rule?.chain === chainName('enter', isolated.uuid)), 1);
    const { firewall } = recorder([listing([nat]), listing([nat], false), undefined, JSON.stringify(torn)]);
    expect(await firewall.present([nat, isolated, plans['open']!])).toEqual([true, false, true]);
    expect(await firewall.present([nat])).toEqual([false]);
    expect(await firewall.present([nat, plans['open']!])).toEqual([false, true]);
    expect(await firewall.present([nat, isolated])).toEqual([true, false]);
  });

  it('takes away what a changed network does not need any more, in the same transaction', async () => {
    const { transactions, firewall } = recorder([undefined]);
    const changed = { ...isolated, uuid: nat.uuid, bridge: nat.bridge };
    await firewall.apply([nat]);
    await firewall.apply([changed]);
    expect(transactions.at(-1)).toBe(renderUnneeded(changed) + renderNetwork(changed));
    expect(renderUnneeded(changed)).toContain(`delete chain inet vnet ${chainName('nat', nat.uuid)}`);
    expect(renderUnneeded(nat)).toBe('');
  });

  it('does nothing for an open network', async () => {
    const { transactions, firewall } = recorder([]);
    await firewall.apply([plans['open']!]);
    await firewall.remove(plans['open']!);
    expect(transactions).toEqual([]);
  });

  it('lets one transaction in at a time, and goes on after a failure', async () => {
    let running = 0;
    const commands: Commands = {
      require: async () => undefined,
      read: async () => listing([]),
      follow: () => Promise.reject(new Error('nobody follows')),
      run: async (_, __, options) => {
        expect(running += 1).toBe(1);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        if (options?.input?.includes('virbr0')) throw new CommandError('nft', 'no');
      },
    };
    const firewall = openNftables(commands);
    const results = await Promise.allSettled([nat, isolated, plans['dhcp']!].map((plan) => firewall.apply([plan])));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  });
});
