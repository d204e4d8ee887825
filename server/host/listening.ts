/**
 * Lives here: a program that tells of changes line by line, for as long as
 * somebody wants to hear of them: begun again when it ends. Does not know:
 * what the lines are about.
 */
import { messageOf } from '../../shared/errors.js';
import type { Log } from '../log.js';
import type { Commands, Following, Tool } from './command.js';

/** Who listens. */
export interface Listening {
  /** Begins, unless it has begun already. */
  start(): void;
  /** Nobody wants to hear any more, for now. */
  stop(): void;
  /** Ends for good. */
  close(): Promise<void>;
}

/** What to listen to. */
export interface ListeningOptions {
  commands: Commands;
  /** The program, asked for each time it is begun; undefined if there is nothing to listen to. */
  source(): Promise<{ tool: Tool; argv: readonly string[] } | undefined>;
  onLine(line: string): void;
  /** It has begun, for the first time or again: what happened before was not heard. */
  onBegun(): void;
  /** What is told, for the log: `changes of bridges`. */
  what: string;
  log: Log;
}

/** How long until a program that ended is begun again, in milliseconds. */
const retryMs = 1000;

/** Opens it. Nothing runs before it is started. */
export function openListening(options: ListeningOptions): Listening {
  return new ProgramListening(options);
}

class ProgramListening implements Listening {
  private source: Following | undefined;
  private opening: Promise<void> | undefined;
  private wanted = false;
  private closed = false;

  constructor(private readonly options: ListeningOptions) {}

  start(): void {
    if (this.closed) return;
    this.wanted = true;
    this.opening ??= this.open();
  }

  stop(): void {
    this.wanted = false;
    this.source?.close();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.wanted = false;
    await this.opening;
    this.source?.close();
    await this.source?.ended;
  }

  private async open(): Promise<void> {
    const { commands, source, onLine, onBegun } = this.options;
    try {
      const program = await source();
      if (!this.wanted || program === undefined) return;
      const following = await commands.follow(program.tool, program.argv, onLine);
      this.source = following;
      void following.ended.then((words) => this.reopen(words));
      if (this.wanted) onBegun();
      else following.close();
    } catch (error) {
      this.reopen(messageOf(error));
    }
  }

  private reopen(words: string): void {
    this.source = undefined;
    this.opening = undefined;
    if (!this.wanted) return;
    this.options.log.warn({ words }, `${this.options.what} cannot be heard for a moment: listening again`);
    setTimeout(() => { if (this.wanted) this.opening ??= this.open(); }, retryMs).unref();
  }
}
