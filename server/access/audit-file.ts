/**
 * Lives here: a file that only grows, line by line, and says when it cannot.
 * Does not know: what the lines say.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';

/** A file that lines are put at the end of. */
export class LineFile {
  readonly #path: string;
  #fd: number;
  /** A line could not be written in full: the next one begins a new one. */
  #torn = false;

  /** Opens the file, or makes it for its owner alone. @throws Error if it cannot be written, or is a symbolic link */
  constructor(path: string) {
    this.#path = path;
    this.#fd = openAtEnd(path);
  }

  /**
   * Puts a line at the end, before it returns: what is written survives the end
   * of this process, whatever ends it.
   *
   * @throws Error if it cannot be written in full
   */
  write(line: string): void {
    const bytes = Buffer.from(`${this.#torn ? '\n' : ''}${line}\n`);
    const written = writeSync(this.#fd, bytes);
    this.#torn = written < bytes.length && (this.#torn || written > 0);
    if (written < bytes.length) throw new Error(`${this.#path}: only ${written} of ${bytes.length} bytes could be written`);
  }

  /** Goes on in the file that has the name now, after another program moved the old one away. @throws Error; then it goes on in the old one */
  reopen(): void {
    const old = this.#fd;
    this.#fd = openAtEnd(this.#path);
    this.#torn = false;
    closeSync(old);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function openAtEnd(path: string): number {
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW } = constants;
  return openSync(path, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, 0o600);
}
