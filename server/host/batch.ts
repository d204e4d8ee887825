/**
 * Lives here: how ip and tc are told many things in one call, and what is done
 * where one of them fails: both stop at the first line that does, and say
 * which. Does not know: what is told.
 */
import { CommandError, type Commands } from './command.js';

/** A line of `ip -batch` or `tc -batch`. */
export interface Line {
  text: string;
  /** The lines that do in its place where it fails; without this, its failure is that of all. */
  instead?: (error: unknown) => Promise<Line[]>;
}

/** What became of a block that failed. */
export interface BlockFailure {
  error: unknown;
  /** The line of the block that failed, from 1: those before it are done, those after it not. 0 if nobody knows. */
  line: number;
}

/** A line on its way, and where it is from. */
interface Pending {
  line: Line;
  block: number;
  number: number;
}

/** How much longer than usual a call may take for each of its lines, in milliseconds. */
const lineTimeoutMs = 50;
const timeoutMs = 20_000;

/**
 * Runs blocks of lines in one call. After a line that failed, the rest of its
 * block is left out, or what does in its place is run, and the other blocks go
 * on in another call: a failure is that of its block alone.
 *
 * @returns for each block what became of it, or undefined if it is done
 */
export async function runBlocks(
  commands: Commands, tool: 'ip' | 'tc', blocks: readonly (readonly Line[])[],
): Promise<(BlockFailure | undefined)[]> {
  const failures = blocks.map((): BlockFailure | undefined => undefined);
  let rest = blocks.flatMap((lines, block) => lines.map((line, index): Pending => ({ line, block, number: index + 1 })));
  while (rest.length > 0) {
    try {
      await commands.run(tool, ['-batch', '-'], {
        input: rest.map(({ line }) => `${line.text}\n`).join(''), timeoutMs: timeoutMs + lineTimeoutMs * rest.length,
      });
      return failures;
    } catch (error) {
      const at = failedLine(error) - 1;
      const failed = rest[at];
      if (failed === undefined) {
        for (const { block } of rest) failures[block] ??= { error, line: 0 };
        return failures;
      }
      rest = await afterFailure(rest.slice(at + 1), failed, error, failures);
    }
  }
  return failures;
}

/** What is to be run after a line that failed. */
async function afterFailure(rest: Pending[], { line, block, number }: Pending, error: unknown, failures: (BlockFailure | undefined)[]): Promise<Pending[]> {
  try {
    if (line.instead === undefined) throw error;
    const instead = await line.instead(error);
    return [...instead.map((each) => ({ line: each, block, number })), ...rest];
  } catch (final) {
    failures[block] = { error: final, line: number };
    return rest.filter((each) => each.block !== block);
  }
}

/** The line that a batch of ip or tc ended with, from 1; 0 if it was none. */
export function failedLine(error: unknown): number {
  return error instanceof CommandError ? Number(/Command failed -:(\d+)/.exec(error.words)?.[1] ?? 0) : 0;
}
