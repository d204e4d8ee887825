/**
 * Lives here: how tc is told many things in one call, and what is done where
 * the kernel does not have one of them. Does not know: what is told.
 */
import { runBlocks, type Line } from './batch.js';
import type { Commands } from './command.js';

export { failedLine, type Line } from './batch.js';

/**
 * Runs lines in one call; after one that failed, what does in its place and
 * the rest in another.
 *
 * @throws {CommandError} with tc's words
 */
export async function runLines(commands: Commands, lines: readonly Line[]): Promise<void> {
  const [failure] = await runBlocks(commands, 'tc', [lines]);
  if (failure !== undefined) throw failure.error;
}
