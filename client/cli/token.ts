/**
 * Lives here: `vnet token`: the bearer tokens of this host's daemon. Does not
 * know: how they are kept; nor a daemon, which sees by itself what has changed.
 */
import { join } from 'node:path';
import type { Call } from './call.js';
import { attempt, UsageError } from './failure.js';
import { renderTable } from './table.js';

/** Seconds in what a time can be given in. */
const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** `vnet token add|list|revoke`. */
export async function runToken(call: Call): Promise<void> {
  const files = await import('../../server/identity/token-file.js');
  const path = files.tokenPath(join(call.value('root') ?? '/', 'etc/vnet'));
  const action = call.word('action');
  if (action === 'list') {
    const tokens = await attempt('failed to list tokens', () => files.readTokens(path));
    for (const { name, created, expires } of tokens) call.print('', { name, created: created.toISOString(), expires: expires?.toISOString() ?? null });
    call.print(renderTable(['Name', 'Created', 'Expires'], tokens.map(({ name, created, expires }) => [name, day(created), expires === undefined ? 'never' : day(expires)]), { quiet: call.quiet }));
    return;
  }
  const name = call.word('name');
  if (action !== 'add' && action !== 'revoke') throw new UsageError(`vnet token ${action}: the action must be add, list or revoke`, 'vnet help token');
  if (name === '') throw new UsageError('command \'token\' requires <name> option', `vnet token ${action} NAME`);
  if (action === 'revoke') {
    await attempt(`failed to revoke token '${name}'`, () => files.revokeToken(path, name));
    call.announce(`Token '${name}' revoked`, { name });
    return;
  }
  const problem = files.tokenNameProblem(name);
  if (problem !== undefined) throw new UsageError(`'${name}' is no name for a token: ${problem}`);
  const expires = readExpiry(call.value('expires'));
  const token = await attempt(`failed to make token '${name}'`, () => files.addToken(path, name, expires));
  call.print(`${token}\n`, { name, token, expires: expires?.toISOString() ?? null });
}

function readExpiry(text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  const [, count, unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  if (count === undefined || Number(count) === 0) throw new UsageError(`--expires must be a time such as 12h or 30d, not '${text}'`);
  return new Date(Date.now() + Number(count) * units[unit]! * 1000);
}

/** To the second, in the zone of whoever reads it. */
function day(date: Date): string {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace('T', ' ');
}
