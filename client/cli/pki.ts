/**
 * Lives here: `vnet pki`: an authority and its certificates, in words. Does
 * not know: how one is made.
 */
import { resolve } from 'node:path';
import { defaults } from '../../shared/uri.js';
import { createAuthority, issue, listIssued, revoke, type IssuedCertificate } from '../pki/authority.js';
import type { Call } from './call.js';
import { attempt, UsageError } from './failure.js';
import type { OutputRecord } from './output.js';
import { didYouMean } from './suggest.js';
import { renderTable } from './table.js';

/** What can follow `vnet pki`, with the words that follow it. */
const actions: Record<string, { words: readonly string[]; run(call: Call, folder: string, words: readonly string[]): Promise<void> }> = {
  init: { words: [], run: runInit },
  issue: { words: ['server|client', 'NAME'], run: runIssue },
  list: { words: [], run: runList },
  revoke: { words: ['NAME|SERIAL'], run: runRevoke },
};

/** `vnet pki`. */
export async function runPki(call: Call): Promise<void> {
  const [name = '', ...words] = [call.word('action'), ...call.words('words')];
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (action === undefined) throw new UsageError(`unknown action: 'pki ${name}'`, didYouMean(name, Object.keys(actions)) ?? `there is ${Object.keys(actions).join(', ')}`);
  if (words.length !== action.words.length) throw new UsageError(`expected syntax: vnet pki ${[name, ...action.words].join(' ')}`, 'vnet help pki');
  await action.run(call, resolve(call.value('dir') ?? defaults.pki), words);
}

async function runInit(call: Call, folder: string): Promise<void> {
  const name = call.value('name') ?? 'vnet CA';
  const certificate = await attempt('Failed to make an authority', () => createAuthority(folder, name, days(call), call.flag('force')));
  call.announce(`Authority '${name}' made in ${folder}, until ${day(new Date(certificate.validTo))}`, { name, kind: 'ca', folder, serial: certificate.serialNumber, notAfter: new Date(certificate.validTo).toISOString() });
  call.warn(`whoever has ${folder}/ca-key.pem can make certificates: keep it where only you can read it`, 'hint');
}

async function runIssue(call: Call, folder: string, [kind = '', name = '']: readonly string[]): Promise<void> {
  if (kind !== 'server' && kind !== 'client') throw new UsageError(`a certificate is for a server or a client, not for '${kind}'`, didYouMean(kind, ['server', 'client']));
  const alternativeNames = (call.value('san') ?? '').split(',').filter((part) => part !== '');
  const lifetime = days(call);
  const made = await attempt(`Failed to issue a certificate for ${name}`, () => issue(folder, {
    kind, name, alternativeNames, here: call.flag('here'), force: call.flag('force'), ...(lifetime === undefined ? {} : { days: lifetime }),
  }));
  call.announce(`Certificate for ${kind} ${name} issued, until ${day(made.certificate.notAfter)}: ${made.folder}`, { ...recordOf(made.certificate), folder: made.folder });
}

async function runList(call: Call, folder: string): Promise<void> {
  const all = await attempt('Failed to list certificates', () => listIssued(folder));
  for (const certificate of all) call.print('', recordOf(certificate));
  call.print(renderTable(['Name', 'Kind', 'State', 'Until', 'Serial', 'Good for'], all.map((certificate) => {
    const { name, kind, state, notAfter, serial, alternativeNames } = certificate;
    return [name, kind, state, day(notAfter), serial, alternativeNames.replaceAll('IP Address:', 'IP:')];
  }), { quiet: call.quiet }));
}

async function runRevoke(call: Call, folder: string, [word = '']: readonly string[]): Promise<void> {
  const revoked = await attempt(`Failed to revoke ${word}`, () => revoke(folder, word, days(call)));
  for (const certificate of revoked) call.announce(`Certificate ${certificate.serial} of ${certificate.kind} ${certificate.name} revoked`, recordOf(certificate));
  call.warn(`daemons refuse it once they have the new ${folder}/crl.pem`, 'hint');
}

function days(call: Call): number | undefined {
  const text = call.value('days');
  if (text !== undefined && !/^\d{1,5}$/.test(text)) throw new UsageError(`--days must be a number of days, not '${text}'`);
  return text === undefined ? undefined : Number(text);
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** A certificate as programs see it. */
function recordOf({ name, kind, state, serial, notBefore, notAfter, alternativeNames }: IssuedCertificate): OutputRecord {
  return { name, kind, state, serial, notBefore: notBefore.toISOString(), notAfter: notAfter.toISOString(), alternativeNames: alternativeNames === '' ? [] : alternativeNames.split(', ') };
}
