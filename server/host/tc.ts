/**
 * Lives here: how tc is told many things in one call, and what is done where
 * the kernel does not have one of them. Does not know: what is told.
 */
import { CommandError, type Commands } from './command.js';

/** A line of `tc -batch`. */
export interface Line {
  text: string;
  /** The lines that do in its place where it fails; without this, its failure is that of all. */
  instead?: (error: unknown) => Promise<Line[]>;
}

/**
 * Runs lines in one call; after one that failed, what does in its place and
 * the rest in another.
 *
 * @throws {CommandError} with tc's words
 */
export async function runLines(commands: Commands, lines: readonly Line[]): Promise<void> {
  if (lines.length === 0) return;
  try {
    await commands.run('tc', ['-batch', '-'], { input: lines.map(({ text }) => `${text}\n`).join('') });
  } catch (error) {
    const failed = failedLine(error);
    const instead = lines[failed - 1]?.instead;
    if (instead === undefined) throw error;
    await runLines(commands, [...await instead(error), ...lines.slice(failed)]);
  }
}

/** The line that a batch of ip or tc ended with, from 1; 0 if it was none. */
export function failedLine(error: unknown): number {
  return error instanceof CommandError ? Number(/Command failed -:(\d+)/.exec(error.words)?.[1] ?? 0) : 0;
}
