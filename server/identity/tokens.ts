/**
 * Lives here: the tokens that count at the moment, and the connections that
 * were let in by them. Does not know: how a token arrives, what its bearer may do.
 */
import type { Config } from '../config.js';
import type { Connection } from '../connections.js';
import type { Log } from '../log.js';
import type { Reloads } from '../reload.js';
import { findToken, readTokens, tokenPath, type TokenRecord } from './token-file.js';

/** How often it is looked whether a token in use has expired, in milliseconds. */
const lookMs = 1_000;

/** The tokens of this host. */
export class Tokens {
  readonly path: string;
  readonly #log: Log;
  #records: readonly TokenRecord[] = [];
  /** Who has shown each token: its connections end when it does. */
  readonly #bearers = new Map<string, Set<Connection>>();

  /** @param path see {@link tokenPath} */
  constructor(path: string, log: Log) {
    this.path = path;
    this.#log = log;
    setInterval(() => this.#dismiss(), lookMs).unref();
  }

  /** Reads the file again. @throws Error if it cannot be used: then those that were good stay so */
  async reload(): Promise<void> {
    this.#records = await readTokens(this.path);
    this.#dismiss();
  }

  /**
   * The name of a token that counts.
   *
   * @param connection where it was shown; it is closed when the token counts no more
   * @returns why not, if it does not
   */
  find(token: string, connection: Connection): { name: string } | { problem: 'unknown' | 'expired' } {
    const record = findToken(this.#records, token);
    if (record === undefined) return { problem: 'unknown' };
    if (isOver(record)) return { problem: 'expired' };
    this.#note(record, connection);
    return { name: record.name };
  }

  #note({ sha256 }: TokenRecord, connection: Connection): void {
    const bearers = this.#bearers.get(sha256) ?? new Set();
    if (bearers.has(connection)) return;
    this.#bearers.set(sha256, bearers.add(connection));
    connection.closed.addEventListener('abort', () => {
      bearers.delete(connection);
      if (bearers.size === 0 && this.#bearers.get(sha256) === bearers) this.#bearers.delete(sha256);
    }, { once: true });
  }

  /** Ends the connections of those whose token counts no more: a stream asks for nothing again. */
  #dismiss(): void {
    for (const [sha256, bearers] of this.#bearers) {
      const record = this.#records.find((candidate) => candidate.sha256 === sha256);
      if (record !== undefined && !isOver(record)) continue;
      for (const connection of bearers) {
        this.#log.info({ connection: connection.id, peer: connection.peer, token: record?.name }, 'a connection was closed: its token was revoked or has expired');
        connection.close();
      }
    }
  }
}

/** Reads the tokens of this host, and again whenever they change. A file that cannot be used is none. */
export async function openTokens({ folders }: Config, reloads: Reloads, log: Log): Promise<Tokens> {
  const tokens = new Tokens(tokenPath(folders.etc), log);
  await tokens.reload().catch((error: unknown) => log.error({ err: error }, `no token counts: ${(error as Error).message}`));
  reloads.onReload({ name: 'tokens', paths: () => [tokens.path], reload: () => tokens.reload() });
  return tokens;
}

function isOver({ expires }: TokenRecord): boolean {
  return expires !== undefined && expires.getTime() <= Date.now();
}
