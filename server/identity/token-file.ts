/**
 * Lives here: the file of bearer tokens: what is kept of each, and changing it.
 * Does not know: connections, the daemon; `vnet token` works on it too.
 *
 * A token is 32 bytes of the system's random numbers, so nobody finds one by
 * trying, however fast. Kept is its SHA-256: slow hashes such as scrypt are for
 * secrets that people make up, and would let any stranger have the daemon
 * compute for each wrong token it sends.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { locked } from '../../shared/folder-lock.js';
import { prepareFolder, writeDurably } from '../files.js';

/** What is kept of a token. */
export interface TokenRecord {
  name: string;
  /** SHA-256 of the whole token, in lower-case hexadecimal digits. */
  sha256: string;
  created: Date;
  /** Undefined: it holds until it is revoked. */
  expires?: Date;
}

/** How long somebody else may be at work on the file, in milliseconds. */
const turnMs = 5000;

/** How every token begins, so that one can be found where it does not belong. */
const prefix = 'vnet_';

/** Where the tokens of a host are kept. @param etc its folder for configuration */
export function tokenPath(etc: string): string {
  return join(etc, 'tokens.json');
}

/** What is wrong with a name for a token, if anything. */
export function tokenNameProblem(name: string): string | undefined {
  return /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$/.test(name) ? undefined : 'it must be 1 to 64 of A-Z a-z 0-9 _ . @ -, and begin with a letter or digit';
}

/** What is kept of this token, if anything. It takes as long whether there is one or not. */
export function findToken(records: readonly TokenRecord[], token: string): TokenRecord | undefined {
  const digest = createHash('sha256').update(token).digest();
  let found: TokenRecord | undefined;
  for (const record of records) {
    if (timingSafeEqual(Buffer.from(record.sha256, 'hex'), digest)) found = record;
  }
  return found;
}

/** Reads what a file says. @throws Error that says what is wrong with it */
export function parseTokens(text: string): TokenRecord[] {
  const { tokens } = JSON.parse(text) as { tokens?: unknown };
  if (!Array.isArray(tokens)) throw new Error('it has no list "tokens"');
  return tokens.map((entry: Record<string, unknown>, index) => {
    const { name, sha256, created, expires } = entry;
    const times = [created, ...(expires === undefined ? [] : [expires])].map((time) => new Date(String(time)));
    if (typeof name !== 'string' || tokenNameProblem(name) !== undefined || typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)
      || times.some((time) => Number.isNaN(time.getTime()))) throw new Error(`token ${index + 1} is not as vnet token writes it`);
    return { name, sha256, created: times[0]!, ...(times[1] === undefined ? {} : { expires: times[1] }) };
  });
}

/** Writes what parseTokens reads. */
export function formatTokens(tokens: readonly TokenRecord[]): string {
  return `${JSON.stringify({ tokens }, undefined, 2)}\n`;
}

/**
 * Reads the tokens of a host; none if there is no file.
 *
 * @throws Error if the file is malformed, or others than its owner may read or write it
 */
export async function readTokens(path: string): Promise<TokenRecord[]> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => { if (error.code === 'ENOENT') return undefined; throw error; });
  if (found === undefined) return [];
  const uid = process.geteuid?.();
  if ((found.mode & 0o077) !== 0 || (found.uid !== 0 && found.uid !== uid)) {
    throw new Error(`${path} must be root's and nobody else's: chmod 600 ${path}`);
  }
  try {
    return parseTokens(await readFile(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`);
  }
}

/**
 * Makes a token.
 *
 * @returns the token itself, which is kept nowhere
 * @throws Error if there is one of that name, or the file cannot be used
 */
export function addToken(path: string, name: string, expires: Date | undefined): Promise<string> {
  const token = prefix + randomBytes(32).toString('base64url');
  const sha256 = createHash('sha256').update(token).digest('hex');
  return change(path, (tokens) => {
    if (tokens.some((known) => known.name === name)) throw new Error(`there is a token '${name}' already`);
    return [...tokens, { name, sha256, created: new Date(), ...(expires === undefined ? {} : { expires }) }];
  }).then(() => token);
}

/** Makes a token count no more. @throws Error if there is none of that name, or the file cannot be used */
export function revokeToken(path: string, name: string): Promise<void> {
  return change(path, (tokens) => {
    if (!tokens.some((token) => token.name === name)) throw new Error(`there is no token '${name}'`);
    return tokens.filter((token) => token.name !== name);
  });
}

/** Of two at once, neither undoes what the other did. */
async function change(path: string, make: (tokens: TokenRecord[]) => TokenRecord[]): Promise<void> {
  const folder = join(path, '..');
  await prepareFolder(folder, 0o755);
  await locked(folder, async () => writeDurably(path, formatTokens(make(await readTokens(path))), 0o600), turnMs);
}
