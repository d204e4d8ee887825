/**
 * Lives here: what stands of our rules, read from iptables-save, and the input
 * of iptables-restore that leads from there to what should stand. Does not
 * know: what a rule says, programs.
 */
import { chainSuffix, hooks, suffixOf, type Hook, type NetworkChain } from './iptables-rules.js';

/** One table: for each chain its rules, without `-A CHAIN`. */
export type Chains = Map<string, string[]>;

/** What stands in one family. */
export type Tables = Map<string, Chains>;

/** Reads what iptables-save prints. */
export function parseSave(text: string): Tables {
  const tables: Tables = new Map();
  let chains: Chains = new Map();
  for (const line of text.split('\n')) {
    const [, table] = /^\*(\w+)/.exec(line) ?? [];
    if (table !== undefined) tables.set(table, chains = new Map());
    const [, chain] = /^:(\S+)/.exec(line) ?? [];
    if (chain !== undefined) chains.set(chain, []);
    const [, owner = '', rule] = /^-A (\S+) ?(.*)$/.exec(line) ?? [];
    if (rule !== undefined) chains.get(owner)?.push(rule);
  }
  return tables;
}

/** Whether chains, the jumps to them and the way to these all stand. */
export function stands(tables: Tables, wanted: readonly NetworkChain[]): boolean {
  return wanted.every(({ table, name, matches, rules }) => {
    const chains = tables.get(table);
    const hook = hooks.find((each) => each.table === table)!;
    return chains?.get(hook.parent)?.includes(jumpTo(hook.chain)) === true
      && chains.get(hook.chain)?.every(isOurs) === true
      && chains.get(name)?.length === rules.length
      && matches.every((match) => chains.get(hook.chain)?.includes(`${match} ${jumpTo(name)}`) === true);
  });
}

/** What stands in chains. */
export function contents(tables: Tables, chains: readonly NetworkChain[]): (string[] | undefined)[] {
  return chains.map(({ table, name }) => tables.get(table)?.get(name));
}

/**
 * The input of `iptables-restore --noflush` after which some networks have
 * exactly the chains that are wanted, and what others left for the same bridges
 * is gone. What all networks share comes with the first and goes with the last.
 *
 * @param wanted the chains of all these networks
 */
export function renderChange(tables: Tables, networks: readonly { uuid: string; bridge: string }[], wanted: readonly NetworkChain[]): string {
  const suffixes = new Set(networks.flatMap((network) => [chainSuffix(network.uuid), ...strangers(tables, network)]));
  const [nat, filter] = hooks.map((hook) => {
    const chains = tables.get(hook.table) ?? new Map<string, string[]>();
    return renderTable(hook, chains, suffixes, wanted.filter(({ table }) => table === hook.table));
  }) as [Steps, Steps];
  return [nat.make, filter.make, filter.unmake, nat.unmake].join('');
}

/** Whether a change takes away the last of our rules for packets that are forwarded. */
export function isEnd(change: string): boolean {
  return change.includes('\n-X VNET_FORWARD\n');
}

/** What makes the chains of one table, and what takes others away. */
interface Steps {
  make: string;
  unmake: string;
}

/** The suffixes of the names of chains that get packets of a network's bridge. */
function strangers(tables: Tables, { bridge }: { bridge: string }): string[] {
  const jumps = tables.get('filter')?.get('VNET_FORWARD') ?? [];
  const theirs = jumps.filter((rule) => rule.startsWith(`-i ${bridge} `) || rule.startsWith(`-o ${bridge} `));
  return theirs.map((rule) => suffixOf(targetOf(rule))).filter((suffix) => suffix !== undefined);
}

function renderTable(hook: Hook, chains: Chains, suffixes: Set<string>, wanted: NetworkChain[]): Steps {
  const kept = new Set(wanted.map(({ name }) => name));
  const ours = [...chains.keys()].filter((name) => suffixOf(name) !== undefined);
  const stale = ours.filter((name) => suffixes.has(suffixOf(name)!) && !kept.has(name));
  const last = wanted.length === 0 && ours.length === stale.length;
  const jumps = (chains.get(hook.chain) ?? []).filter(isOurs);
  const gone = last && chains.has(hook.chain) ? [...stale, hook.chain] : stale;
  const made = [...(wanted.length === 0 ? [] : renderHook(hook, chains)), ...wanted.flatMap((chain) => renderChain(hook, chain, jumps))];
  const unmade = [
    ...jumps.filter((rule) => stale.includes(targetOf(rule))).map((rule) => `-D ${hook.chain} ${rule}`),
    ...(last ? hookJumps(hook, chains).map((rule) => `-D ${hook.parent} ${rule}`) : []),
    ...gone.map((name) => `-F ${name}`),
  ];
  return {
    make: renderTransaction(hook, made),
    // A chain cannot be deleted in the transaction that deletes the last jump to it.
    unmake: renderTransaction(hook, unmade) + renderTransaction(hook, gone.map((name) => `-X ${name}`)),
  };
}

/** The chain that networks share, and the one jump to it: before all others' rules, which might let a packet pass. */
function renderHook(hook: Hook, chains: Chains): string[] {
  const [first, ...more] = hookJumps(hook, chains);
  const rules = chains.get(hook.chain);
  const pure = rules?.every(isOurs) === true;
  return [
    // To name a chain that exists is to flush it: of what another program put in, nothing stays.
    ...(pure ? [] : [`:${hook.chain} -`, ...(rules ?? []).filter(isOurs).map((rule) => `-A ${hook.chain} ${rule}`)]),
    ...(first === undefined ? [`-I ${hook.parent} ${jumpTo(hook.chain)}`] : []),
    ...more.map((rule) => `-D ${hook.parent} ${rule}`),
  ];
}

/** A network's chain, made or made anew, and the jumps to it that are missing. */
function renderChain(hook: Hook, { name, matches, rules }: NetworkChain, jumps: string[]): string[] {
  return [
    `:${name} -`,
    ...rules.map((rule) => `-A ${name} ${rule}`),
    ...matches.map((match) => `${match} ${jumpTo(name)}`).filter((rule) => !jumps.includes(rule)).map((rule) => `-A ${hook.chain} ${rule}`),
  ];
}

function renderTransaction({ table }: Hook, commands: string[]): string {
  return commands.length === 0 ? '' : `*${table}\n${commands.join('\n')}\nCOMMIT\n`;
}

function hookJumps(hook: Hook, chains: Chains): string[] {
  return (chains.get(hook.parent) ?? []).filter((rule) => rule === jumpTo(hook.chain));
}

function jumpTo(chain: string): string {
  return `-j ${chain}`;
}

/** Whether a rule of a chain that networks share is one of ours. */
function isOurs(rule: string): boolean {
  return suffixOf(targetOf(rule)) !== undefined;
}

function targetOf(rule: string): string {
  return /(?:^| )-j (\S+)$/.exec(rule)?.[1] ?? '';
}
