/**
 * Lives here: reading what other programs have in this host's firewalls. Does
 * not know: what it means.
 */
import { readFile } from 'node:fs/promises';
import type { Commands, Tool } from '../command.js';
import { table as ownTable } from '../firewall/nftables-rules.js';
import type { ForeignChain } from './chains.js';
import { parseIptablesChains } from './iptables-rules.js';
import { parseNftChains } from './nft-rules.js';

/** Every chain that is not ours. What cannot be read is left out: who calls wants to warn of what there is. */
export async function readForeignChains(commands: Commands): Promise<ForeignChain[]> {
  const [nft, older4, older6] = await Promise.all([
    readNft(commands).catch(() => []),
    readOlder(commands, 'ip_tables_names', 'iptables-legacy-save').then((text) => parseIptablesChains(text, 'ipv4')),
    readOlder(commands, 'ip6_tables_names', 'ip6tables-legacy-save').then((text) => parseIptablesChains(text, 'ipv6')),
  ]);
  return [...nft, ...older4, ...older6].filter(({ name }) => !name.startsWith('VNET_'));
}

/** Table by table: ours may hold a thousand networks. */
async function readNft(commands: Commands): Promise<ForeignChain[]> {
  const { nftables } = JSON.parse(await commands.read('nft', ['--json', 'list', 'tables'])) as { nftables: { table?: { family: string; name: string } }[] };
  // nft takes its arguments for one text, so a name that is more than a name is left out.
  const tables = nftables.flatMap(({ table }) => (table === undefined ? [] : [`${table.family} ${table.name}`]))
    .filter((name) => name !== ownTable && /^(ip|ip6|inet) [\w.-]+$/.test(name));
  const lists = await Promise.all(tables.map((name) => commands.read('nft', ['--json', 'list', 'table', ...name.split(' ')]).catch(() => '{"nftables":[]}')));
  return lists.flatMap(parseNftChains);
}

/** What the older iptables holds; it is not asked where it holds nothing, for asking alone loads kernel modules. */
async function readOlder(commands: Commands, names: string, tool: Tool): Promise<string> {
  const tables = await readFile(`/proc/net/${names}`, 'utf8').catch(() => '');
  return tables.trim() === '' ? '' : commands.read(tool, []).catch(() => '');
}
