#!/usr/bin/env -S node --max-semi-space-size=4
/**
 * Lives here: the daemon: its command line, its start and its end. Does not
 * know: networks.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { pino } from 'pino';
import { NetworkError } from '../shared/errors.js';
import { version } from '../shared/version.js';
import { accessFile } from './access/access.js';
import { loadTable } from './access/table.js';
import { ConfigError, foldersBelow, loadConfig, type Config } from './config.js';
import { readTlsFiles } from './identity/tls-files.js';
import { openDaemon, type Daemon } from './daemon.js';
import { notifySystemd } from './notify.js';
import { Reloads } from './reload.js';
import { takePassedSockets } from './service/activation.js';
import { isJournal, withPriority } from './service/journal.js';
import { openWatchdog } from './service/watchdog.js';

const help = `vnetd ${version}: serves the virtual networks of this host

Usage: vnetd [--config FILE] [--root DIR] [--driver host|test]

  --config FILE        read FILE instead of /etc/vnet/vnetd.toml
  --root DIR           keep etc, var and run below DIR
  --driver host|test   serve this host (the default), or the test driver,
                       which needs no rights and touches nothing
  --check-config       read the configuration, say what is wrong, and end
  -h, --help           print this
  -V, --version        print the version

Networks stay up when vnetd stops; it adopts them when it starts again.
Signals: SIGTERM and SIGINT end it. SIGHUP has it read certificates, lists,
tokens and the access table again, and open the audit's file anew; so does a
change of what is read.
`;

const flags = {
  config: { type: 'string' },
  root: { type: 'string', default: '/' },
  driver: { type: 'string' },
  'check-config': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
} as const;

// What is no longer used is collected before it has grown to four times what is: with 1,100 connections 60 MB, at no cost that was seen.
setFlagsFromString('--heap-growing-percent=50');

/** Runs the daemon until it is told to end. Gives the exit code. */
async function main(argv: string[]): Promise<number> {
  let config: Config;
  let load: () => Promise<Config>;
  let source: string;
  try {
    const { values } = parseArgs({ args: argv, options: flags });
    if (values.help) return say(help);
    if (values.version) return say(`${version}\n`);
    load = () => loadConfig(values.root, values.config);
    source = values.config ?? join(foldersBelow(values.root).etc, 'vnetd.toml');
    config = await load();
    if (values.driver === 'host' || values.driver === 'test') config.driver = values.driver;
    else if (values.driver !== undefined) throw new ConfigError(`--driver ${values.driver}: it must be host or test`);
    takePassedSockets(config, process.env, process.pid);
    if (values['check-config'] && config.tls.enabled) await checkTls(config);
    await loadTable(accessFile(config), config.unix.group);
    if (values['check-config']) return say('the configuration is good\n');
  } catch (error) {
    process.stderr.write(`vnetd: ${(error as Error).message}\n`);
    return 2;
  }
  return serve(config, load, source);
}

/** @param load reads the configuration again @param source its file */
async function serve(config: Config, load: () => Promise<Config>, source: string): Promise<number> {
  // Files that others may not read say so themselves; the folders of sockets must be passable.
  process.umask(0o022);
  const standardError = pino.destination({ fd: 2, sync: true });
  const destination = isJournal(process.env) ? withPriority(standardError) : standardError;
  const log = pino({ level: config.log.level, base: null }, destination);
  const ended = nextSignal();
  const reloads = new Reloads(config, load, log);
  process.on('SIGHUP', () => void (async () => {
    await notifySystemd('--status=reading the configuration again');
    await reloads.reload('SIGHUP');
    await notifySystemd('--status=serving; the configuration was read again');
  })());
  let opened: Daemon | undefined;
  try {
    const daemon = opened = await openDaemon(config, { log, say: (line) => { destination.write(`${line}\n`); }, reloads });
    reloads.watch(source);
    await notifySystemd('--ready', `--status=serving ${daemon.sockets} sockets`);
    log.info({ version, driver: config.driver }, 'ready');
    const watchdog = openWatchdog(process.env, process.pid, () => daemon.answers(), log);
    const signal = await ended;
    watchdog.close();
    log.info({ signal }, 'stopping; networks stay up');
    await notifySystemd('STOPPING=1');
    await daemon.stop();
    return 0;
  } catch (error) {
    log.error({ err: error, hint: hintFor(error) }, `cannot serve: ${(error as Error).message}`);
    return 1;
  } finally {
    await opened?.close();
  }
}

/** Whether the TLS files that a configuration names can be used. @throws {ConfigError} */
async function checkTls({ tls }: Config): Promise<void> {
  const { untimely } = await readTlsFiles(tls).catch((error: Error) => { throw new ConfigError(error.message); });
  if (untimely.length > 0) throw new ConfigError(untimely.join('\n'));
}

function hintFor(error: unknown): string | undefined {
  if (error instanceof NetworkError) return error.hint;
  const { code } = error as NodeJS.ErrnoException;
  return (code === 'EACCES' || code === 'EPERM') && process.getuid?.() !== 0
    ? 'run it as root, or give it a folder of its own with --root DIR; the host driver also needs the right to change networks' : undefined;
}

function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
