/**
 * Lives here: the way back from a call that failed. Does not know: what is
 * undone.
 */
import type { Log } from '../log.js';

/** A step that undoes what one step has done. */
export type Undo = () => Promise<unknown>;

/**
 * Takes the steps, the last one first, each whether or not others fail. The
 * first error wins, so those of the way back are only logged.
 *
 * @param about the fields of their lines in the log
 * @param failed what such a line says
 */
export async function goBack(back: Undo[], log: Log, about: Record<string, unknown>, failed: string): Promise<void> {
  for (const undo of back.splice(0).reverse()) {
    await undo().catch((error: unknown) => log.error({ ...about, err: error }, failed));
  }
}
