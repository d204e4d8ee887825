/**
 * Lives here: reading again, while the daemon runs: on SIGHUP, and when a file
 * that was read has changed. Does not know: what is read.
 */
import { stat } from 'node:fs/promises';
import type { Config } from './config.js';
import type { Log } from './log.js';

/** Something that can be read again. */
export interface Reader {
  /** What it is called in the log. */
  name: string;
  /** Files whose change is a reason to read everything again. */
  paths(config: Config): readonly string[];
  /**
   * Reads again, and leaves what was good in force if it fails.
   *
   * @throws Error that says why it failed, which is logged
   */
  reload(config: Config): Promise<void>;
}

/** How often files are looked at, in milliseconds. A change counts when it has stood for as long: then it is whole, most likely. */
const lookMs = 500;

/** Everything that can be read again. */
export class Reloads {
  readonly #load: () => Promise<Config>;
  readonly #log: Log;
  readonly #readers: Reader[] = [];
  #config: Config;
  #known: string | undefined;
  #seen: string | undefined;
  #running: Promise<void> = Promise.resolve();
  #watching = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param config what is in force
   * @param load reads the configuration again. Each reader takes of it what it can change while the daemon runs
   */
  constructor(config: Config, load: () => Promise<Config>, log: Log) {
    this.#config = config;
    this.#load = load;
    this.#log = log;
  }

  /** Adds something that can be read again. It has been read. */
  onReload(reader: Reader): void {
    this.#readers.push(reader);
  }

  /** Begins to look at the files. @param file the configuration itself */
  watch(file: string): void {
    const look = async () => {
      const state = await this.#stateOf([file, ...this.#readers.flatMap((reader) => reader.paths(this.#config))]);
      const settled = state === this.#seen;
      this.#seen = state;
      this.#known ??= state;
      if (settled && state !== this.#known) {
        this.#known = state;
        await this.reload('a file has changed');
      }
      if (this.#watching) this.#timer = setTimeout(() => void look(), lookMs).unref();
    };
    this.#watching = true;
    void look();
  }

  /** Reads everything again, one time after another. Never fails. @param why for the log */
  reload(why: string): Promise<void> {
    return this.#running = this.#running.then(() => this.#readAll(why));
  }

  close(): void {
    this.#watching = false;
    clearTimeout(this.#timer);
  }

  async #readAll(why: string): Promise<void> {
    try {
      this.#config = await this.#load();
    } catch (error) {
      this.#log.error({ err: error }, 'the configuration cannot be read again: the one before stays in force');
    }
    const failed: string[] = [];
    for (const reader of this.#readers) {
      try {
        await reader.reload(this.#config);
      } catch (error) {
        failed.push(reader.name);
        this.#log.error({ err: error }, `${reader.name} cannot be read again: ${(error as Error).message}; what was good stays in force`);
      }
    }
    this.#log.info({ why, read: this.#readers.map(({ name }) => name).filter((name) => !failed.includes(name)), failed }, 'read again');
  }

  async #stateOf(paths: readonly string[]): Promise<string> {
    const states = await Promise.all(paths.map(async (path) => {
      const found = await stat(path, { bigint: true }).catch(() => undefined);
      return found === undefined ? 'none' : `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`;
    }));
    return states.join(' ');
  }
}
