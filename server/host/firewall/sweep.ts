/**
 * Lives here: what iptables leaves behind in nftables: a table with the chains
 * that hang on the kernel's hooks, without a rule. Does not know: who made it.
 */
import { CommandError, type Commands } from '../command.js';

/** One object of `nft -j list`. */
interface Listed {
  chain?: { name: string; hook?: string; policy?: string };
  rule?: unknown;
  set?: unknown;
  map?: unknown;
}

/**
 * Removes a table of iptables if it holds nothing and does nothing; iptables
 * makes it again when it needs it. Where iptables is the older one, or nft is
 * not installed, there is none.
 *
 * @param table as nft names it: `ip mangle`
 */
export async function sweepTable(commands: Commands, table: 'ip filter' | 'ip nat' | 'ip mangle' | 'ip6 filter' | 'ip6 nat'): Promise<void> {
  if (!await commands.require('nft').then(() => true, () => false)) return;
  try {
    const { nftables } = JSON.parse(await commands.read('nft', ['--json', 'list', 'table', ...table.split(' ')])) as { nftables: Listed[] };
    const script = renderSweep(nftables, table);
    if (script !== '') await commands.run('nft', ['-f', '-'], { input: script });
  } catch (error) {
    // There is none, or somebody has put something into it.
    if (!(error instanceof CommandError)) throw error;
  }
}

/** Chain by chain: one that has got a rule meanwhile cannot be deleted, and then nothing is. */
function renderSweep(listed: Listed[], table: string): string {
  const chains = listed.flatMap(({ chain }) => (chain === undefined ? [] : [chain]));
  const idle = chains.every(({ hook, policy }) => hook !== undefined && policy === 'accept') && listed.every(({ rule, set, map }) => (rule ?? set ?? map) === undefined);
  if (!idle || !chains.every(({ name }) => /^[A-Z]+$/.test(name))) return '';
  return [...chains.map(({ name }) => `delete chain ${table} ${name}\n`), `delete table ${table}\n`].join('');
}
