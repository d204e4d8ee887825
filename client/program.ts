/**
 * Lives here: the client's one door to programs outside: no shell, arguments
 * one by one, and a clear error where a program is not installed. Does not
 * know: what is asked of them.
 */
import { access, constants } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { ErrorCode, NetworkError } from '../shared/errors.js';

/** The programs, each with the Debian package that has it. */
const packages = { ssh: 'openssh-client', openssl: 'openssl' } as const;

/** A program that the client runs. */
export type Program = keyof typeof packages;

/** A program that runs beside this one. */
export interface Running {
  /** Settles when it has ended and its words are in. Never rejects. */
  ended: Promise<Ended>;
  /** Ends it. */
  kill(): void;
  /** This process may end before it does. */
  unref(): void;
}

/** What became of a program. */
export interface Ended {
  /** Absent if a signal ended it. */
  code?: number | undefined;
  /** What it wrote to standard error, the last of it. */
  words: string;
}

/** The most that is kept of a program's words, in characters. */
const mostWords = 16_384;

/** How long after a program's end its last words may take: a child of its own may keep standard error open. In milliseconds. */
const lastWordsMs = 200;

/**
 * Gives a socket to a program as its standard input and output. It is the
 * program's alone from then on: not a byte passes through this process.
 *
 * @throws {NetworkError} SYSTEM_ERROR if the program is not installed
 */
export function startOnSocket(path: string, argv: readonly string[], socket: Socket): Running {
  const child = execa(path, argv, { stdin: socket, stdout: socket, stderr: 'pipe', buffer: false, reject: false, cleanup: false });
  socket.destroy();
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => { words = (words + text).slice(-mostWords); });
  const heard = new Promise<void>((resolve) => child.stderr.once('close', resolve));
  const ended = new Promise<Ended>((resolve) => {
    // A program that could not be started never exits.
    void child.then(({ exitCode, shortMessage }) => resolve({ code: exitCode, words: words || (shortMessage ?? '') }));
    child.once('exit', async (code) => {
      const patience = setTimeout(() => child.stderr.destroy(), lastWordsMs);
      await heard;
      clearTimeout(patience);
      resolve({ code: code ?? undefined, words });
    });
  });
  return {
    ended,
    kill: () => void child.kill(),
    unref: () => {
      child.unref();
      (child.stderr as Partial<Socket>).unref?.();
    },
  };
}

/**
 * Runs a program to its end.
 *
 * @param cwd the folder that it runs in
 * @returns what it printed
 * @throws {NetworkError} SYSTEM_ERROR if it is not installed; INTERNAL_ERROR with its words if it fails
 */
export async function runProgram(program: Program, argv: readonly string[], cwd: string): Promise<string> {
  const result = await execa(await locate(program), argv, { cwd, stdin: 'ignore', reject: false, stripFinalNewline: false });
  if (result.failed) throw new NetworkError(ErrorCode.INTERNAL_ERROR, `${program} failed: ${result.stderr?.trim() || result.shortMessage}`);
  return result.stdout;
}

/** Finds a program along the search path. @throws {NetworkError} SYSTEM_ERROR if it is not installed */
export async function locate(program: Program): Promise<string> {
  for (const folder of (process.env['PATH'] ?? '/usr/bin:/bin').split(':').filter((part) => part.startsWith('/'))) {
    const path = join(folder, program);
    if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
  }
  throw new NetworkError(ErrorCode.SYSTEM_ERROR, `cannot find '${program}' on this host`, {
    hint: `install it; on Debian and Ubuntu: apt-get install ${packages[program]}`,
  });
}
