/**
 * Lives here: the daemon's configuration: what each part means, its default,
 * and the reading of vnetd.toml. Does not know: how the file spells it (see
 * `config-keys.ts`), what is done with it.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { keys } from './config-keys.js';
import { usualKeep } from './driver/history.js';
import { usualLimits, type Limits } from './limits/limits.js';
import type { MetricsConfig } from './metrics/listen.js';
import type { PassedSockets } from './service/activation.js';

/** How the daemon is set up. */
export interface Config {
  driver: 'host' | 'test';
  folders: Folders;
  unix: {
    /** Read-write socket. */
    socket: string;
    /** Owning group of the read-write socket; ignored with a warning if there is no such group. */
    group: string;
    /** Serve the read-only socket, to everyone. */
    readonly: boolean;
    readonlySocket: string;
    /**
     * Ask the kernel who is at the other end. `auto`: where that cannot be had,
     * go by the socket alone, with a warning; `required`: then do not start.
     */
    peerCredentials: 'auto' | 'required' | 'off';
  };
  /** No encryption, no identity: whoever connects may do everything, unless the access table names this way in. */
  tcp: { enabled: boolean; address: string; port: number };
  tls: {
    enabled: boolean;
    address: string;
    port: number;
    certificate: string;
    key: string;
    /** Whose client certificates are let in. */
    ca: string;
    requireClientCertificate: boolean;
    /** Certificates of the CA that do not count any more; empty: no such list. */
    crl: string;
    /** Patterns of the certificates that are let in (see identity/certificate-pattern.ts); absent: all of the CA. */
    allowed?: readonly string[];
    minimumVersion: '1.2' | '1.3';
  };
  dnsmasq: {
    /** The account it runs as; empty: `dnsmasq` or `nobody`. */
    user: string;
    /** Where upstream name servers are read from. */
    resolvConf: string;
  };
  firewall: {
    /** Who guards networks; `auto`: nftables where nft is, else iptables. */
    backend: 'auto' | 'nftables' | 'iptables' | 'none';
    /** Let networks pass in other programs' firewalls that have a place for it. */
    acceptInForeign: boolean;
  };
  history: {
    /** How many earlier revisions of each saved definition are kept; 0: none. */
    keep: number;
  };
  /** Sockets that systemd opened; no key of the file. */
  passed?: PassedSockets;
  /** How much callers may ask. */
  limits: Limits;
  metrics: MetricsConfig;
  log: { level: 'debug' | 'info' | 'warn' | 'error' };
  audit: {
    /** Where it is kept; empty: in the log. */
    file: string;
    /** Changing calls fail if it cannot be written. */
    required: boolean;
  };
}

/** Where the daemon keeps its files. */
export interface Folders {
  /** Definitions and configuration: /etc/vnet. */
  etc: string;
  /** What outlives a boot but can be lost: /var/lib/vnet. */
  var: string;
  /** What a boot clears: /run/vnet. */
  run: string;
}

/** A configuration that cannot be used. */
export class ConfigError extends Error {}

/** The folders below a root; `/` is the host's own. */
export function foldersBelow(root: string): Folders {
  return { etc: join(root, 'etc/vnet'), var: join(root, 'var/lib/vnet'), run: join(root, 'run/vnet') };
}

/** What holds where the file says nothing. */
export function defaultConfig(root: string): Config {
  const folders = foldersBelow(root);
  const pki = join(folders.etc, 'pki');
  return {
    driver: 'host',
    folders,
    unix: {
      socket: join(folders.run, 'vnet.sock'), group: 'vnet', readonly: true, readonlySocket: join(folders.run, 'vnet-ro.sock'),
      peerCredentials: 'auto',
    },
    tcp: { enabled: false, address: '127.0.0.1', port: 16609 },
    tls: {
      enabled: false, address: '127.0.0.1', port: 16614,
      certificate: join(pki, 'server.pem'), key: join(pki, 'server-key.pem'), ca: join(pki, 'ca.pem'), requireClientCertificate: true,
      crl: '', minimumVersion: '1.2',
    },
    dnsmasq: { user: '', resolvConf: '/etc/resolv.conf' },
    firewall: { backend: 'auto', acceptInForeign: false },
    history: { keep: usualKeep },
    limits: { ...usualLimits },
    metrics: { listen: '', openToNetwork: false },
    log: { level: 'info' },
    audit: { file: '', required: false },
  };
}

/**
 * Reads the configuration below a root.
 *
 * @param file the file; if undefined, etc/vnet/vnetd.toml below the root, which may be missing
 * @throws {ConfigError} naming file, line and what is allowed
 */
export async function loadConfig(root: string, file: string | undefined): Promise<Config> {
  const config = defaultConfig(root);
  const source = file ?? join(config.folders.etc, 'vnetd.toml');
  let toml: string;
  try {
    toml = await readFile(source, 'utf8');
  } catch (error) {
    if (file === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return config;
    throw new ConfigError(`${source}: ${(error as Error).message}`);
  }
  return parseConfig(toml, source, config);
}

/**
 * Lays what a TOML text says over a configuration.
 *
 * @param source the text's name, for messages
 * @throws {ConfigError} naming every key that is unknown or wrong, each with its line
 */
export function parseConfig(toml: string, source: string, base: Config): Config {
  const tables = parseToml(toml, source);
  const config = structuredClone(base);
  const problems: { line: number; message: string }[] = [];
  for (const { table, key, value } of settings(tables)) {
    const problem = apply(config, table, key, value);
    if (problem !== undefined) problems.push({ line: lineOf(toml, table, key), message: problem });
  }
  if (problems.length > 0) {
    problems.sort((a, b) => a.line - b.line);
    throw new ConfigError(problems.map(({ line, message }) => `${source}:${line}: ${message}`).join('\n'));
  }
  return config;
}

/** The tables of a TOML text. @throws {ConfigError} naming line and column where it is none */
export function parseToml(toml: string, source: string): Record<string, unknown> {
  try {
    return parse(toml);
  } catch (error) {
    if (error instanceof TomlError) {
      const [first = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
      throw new ConfigError(`${source}:${error.line}:${error.column}: ${first}`);
    }
    throw error;
  }
}

/** Every key with its table; keys above the first table have the table ''. */
function* settings(tables: Record<string, unknown>): Generator<{ table: string; key: string; value: unknown }> {
  for (const [name, value] of Object.entries(tables)) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)) {
      const entries = Object.entries(value);
      if (entries.length === 0 && !Object.hasOwn(keys, name)) yield { table: name, key: '', value };
      for (const [key, inner] of entries) yield { table: name, key, value: inner };
    } else {
      yield { table: '', key: name, value };
    }
  }
}

/** Sets one key; gives what is wrong with it, if anything. */
function apply(config: Config, table: string, key: string, value: unknown): string | undefined {
  const known = Object.hasOwn(keys, table) ? keys[table] : undefined;
  if (known === undefined) return `unknown table [${table}]; known: ${Object.keys(keys).filter(Boolean).join(', ')}`;
  const entry = Object.hasOwn(known, key) ? known[key] : undefined;
  const name = table === '' ? key : `${table}.${key}`;
  if (entry === undefined) return `unknown key '${name}'; known here: ${Object.keys(known).join(', ')}`;
  const [field, check] = entry;
  const result = check(value);
  if ('allowed' in result) return `${name} is ${JSON.stringify(value)}; it must be ${result.allowed}`;
  const target = (table === '' ? config : config[table as keyof Config]) as Record<string, unknown>;
  target[field] = result.value;
  return undefined;
}

/** The line where a key is set, or its table begins; 1 if it is written in a way this does not see. */
function lineOf(toml: string, table: string, key: string): number {
  let current = '';
  let tableLine = 1;
  for (const [index, line] of toml.split('\n').entries()) {
    const [, header] = /^\s*\[+\s*([^\]]*?)\s*\]+/.exec(line) ?? [];
    if (header !== undefined) {
      current = header.replace(/["']/g, '');
      if (current === table) tableLine = index + 1;
    }
    const [, name] = /^\s*([^=#[]+?)\s*=/.exec(line) ?? [];
    const bare = name?.replace(/["']/g, '');
    if ((current === table && bare === key) || (current === '' && bare === `${table}.${key}`)) return index + 1;
  }
  return tableLine;
}
