/**
 * Lives here: reading the files that are named on the command line, and
 * standard input. Does not know: what is in them.
 */
import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { getSystemErrorMap } from 'node:util';
import { Exit, Failure } from './failure.js';

/** A document, and what to call it in messages. */
export interface DocumentFile {
  text: string;
  label: string;
}

/** Reads a file, or standard input for `-`. @throws {Failure} in virsh's words */
export async function readDocument(file: string, stdin: Readable): Promise<DocumentFile> {
  if (file === '-') return { text: await readStream(stdin), label: 'stdin' };
  try {
    return { text: await readFile(file, 'utf8'), label: file };
  } catch (error) {
    throw fileFailure(file, error as NodeJS.ErrnoException);
  }
}

/** Reads a stream to its end. */
export async function readStream(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Buffer | string));
  return Buffer.concat(chunks).toString('utf8');
}

function fileFailure(file: string, { code, errno = 0, message }: NodeJS.ErrnoException): Failure {
  const [, words = message] = getSystemErrorMap().get(errno) ?? [];
  // A folder can be opened; it fails when it is read.
  const [verb, why] = code === 'EISDIR' ? ['read', 'Is a directory'] : ['open', words.charAt(0).toUpperCase() + words.slice(1)];
  return new Failure(`Failed to ${verb} file '${file}': ${why}`, { exit: Exit.USAGE });
}
