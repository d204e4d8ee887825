/**
 * Lives here: `vnet backup` and `vnet restore`: all saved definitions of a host
 * at once, made of the calls that there are for one. Does not know: what a
 * backup looks like (see `backup-file.ts`), what a definition says.
 */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import type { Connection } from '../connection.js';
import type { NetworkInfo } from '../network.js';
import { formatBackup, parseBackup, type SavedNetwork } from './backup-file.js';
import type { Call } from './call.js';
import { readDocument } from './document-file.js';
import { attempt, Exit, exitCodeOf, Failure } from './failure.js';
import { currentRevision } from './history.js';
import { renderTable } from './table.js';

/** `vnet backup`. */
export async function runBackup(call: Call): Promise<void> {
  const [file = '-'] = call.words('file');
  const connection = await call.connection();
  const backup = await attempt('Failed to back up networks', async () => {
    const saved = await connection.listAllNetworks({ persistent: true });
    return { taken: new Date().toISOString(), host: await connection.hostname(), networks: await Promise.all(saved.map(savedNetwork)) };
  });
  const text = await formatBackup(backup);
  if (file === '-') return call.print(text, { ...backup, networks: backup.networks.map((one) => ({ ...one, revision: one.revision ?? null })) });
  await writeWhole(file, text);
  const count = backup.networks.length;
  call.announce(`${count} ${count === 1 ? 'network' : 'networks'} backed up to ${file}`, { file, networks: backup.networks.map(({ name }) => name) });
}

/** What a restore does to a network. */
type Outcome = 'defined' | 'changed' | 'same' | 'refused';

/** A network of a backup, and what is to be done. */
interface Step {
  saved: SavedNetwork;
  outcome: Outcome;
  /** The revision that it replaces; undefined if there is none or nobody counts. */
  expectedRevision?: number | undefined;
  /** The definition differs; else only the autostart mark does. */
  define: boolean;
  error?: unknown;
}

/** `vnet restore`. */
export async function runRestore(call: Call): Promise<void> {
  const connection = await call.connection();
  const { text, label } = await readDocument(call.word('file'), call.surroundings.stdin);
  const { networks } = await parseBackup(text, label);
  const present = await attempt('Failed to list networks', () => connection.listAllNetworks());
  const steps: Step[] = [];
  for (const saved of networks) steps.push(await plan(connection, present, saved));
  const sound = steps.every(({ error }) => error === undefined);
  const dryRun = call.flag('dry-run') || !sound;
  if (!dryRun) for (const step of steps) await carryOut(connection, step);
  report(call, steps, dryRun);
  const failed = steps.filter(({ error }) => error !== undefined);
  for (const { error } of failed) call.report(error);
  if (failed.length === 0) return;
  const why = sound ? 'the others are restored' : 'nothing was changed';
  throw new Failure(`${failed.length} of ${steps.length} networks cannot be restored; ${why}`, { exit: sound ? Exit.PARTLY : exitCodeOf(failed[0]!.error) });
}

async function savedNetwork({ network, autostart }: NetworkInfo): Promise<SavedNetwork> {
  // The revision first: it is never newer than the text.
  const revision = await currentRevision(network);
  return { name: network.name, uuid: network.uuid, revision, autostart, xml: await network.dumpXml({ inactive: true }) };
}

/** Looks at one network: what is there, and whether the host takes what is saved. Changes nothing. */
async function plan(connection: Connection, present: readonly NetworkInfo[], saved: SavedNetwork): Promise<Step> {
  try {
    const info = present.find(({ network, persistent }) => persistent && network.uuid === saved.uuid);
    const known = info === undefined ? undefined : await savedNetwork(info);
    const define = known?.xml.trimEnd() !== saved.xml.trimEnd();
    const expectedRevision = known?.revision;
    if (define) await agree(connection, saved, expectedRevision);
    const outcome = known === undefined ? 'defined' : define || known.autostart !== saved.autostart ? 'changed' : 'same';
    return { saved, outcome, define, expectedRevision };
  } catch (cause) {
    return { saved, outcome: 'refused', define: false, error: refused(saved, cause) };
  }
}

/** Asks whether a definition would be taken, and is the one that its entry says. */
async function agree(connection: Connection, { name, uuid, xml }: SavedNetwork, expectedRevision: number | undefined): Promise<void> {
  const { network } = await connection.defineXml(xml, { dryRun: true, ...(expectedRevision === undefined ? {} : { expectedRevision }) });
  if (network.name === name && network.uuid === uuid) return;
  throw new Failure(`its entry is of network ${name} (${uuid}), but its XML of ${network.name} (${network.uuid || 'without a UUID'})`, { exit: Exit.USAGE });
}

async function carryOut(connection: Connection, step: Step): Promise<void> {
  const { saved, define, expectedRevision } = step;
  if (step.outcome === 'same') return;
  try {
    if (define) await connection.defineXml(saved.xml, expectedRevision === undefined ? {} : { expectedRevision });
    const network = await connection.lookupByUuid(saved.uuid);
    if (await network.autostart() !== saved.autostart) await network.setAutostart(saved.autostart);
  } catch (cause) {
    Object.assign(step, { outcome: 'refused', error: refused(saved, cause) });
  }
}

function refused({ name }: SavedNetwork, cause: unknown): Failure {
  return new Failure(`Failed to restore network ${name}`, { cause });
}

function report(call: Call, steps: readonly Step[], dryRun: boolean): void {
  const words = (outcome: Outcome) => (dryRun && (outcome === 'defined' || outcome === 'changed') ? `would be ${outcome}` : outcome);
  call.print(renderTable(['Name', 'UUID', 'Result'], steps.map(({ saved, outcome }) => [saved.name, saved.uuid, words(outcome)]), { quiet: call.quiet }));
  for (const { saved: { name, uuid }, outcome } of steps) call.print('', { name, uuid, result: words(outcome) });
}

/** Writes a file that only its owner reads, whole or not at all. @throws {Failure} */
async function writeWhole(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new Failure(`Failed to write file '${file}': ${(cause as Error).message}`, { exit: Exit.USAGE });
  }
}
