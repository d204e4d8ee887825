/**
 * Lives here: the points between the steps by which this process changes what
 * is outside of it: files, settings of the kernel, programs, signals. A test
 * can stand at each of them, and kill, fail or hold up what comes next; else
 * nobody does. Does not know: what the steps are part of.
 */

/** Who stands at the points. It may throw, or never come back. */
export type Watcher = (step: string) => void;

/** Where a watcher is looked for: on globalThis, so that it takes code in this process to set one, and no setting does. */
export const watcherKey = Symbol.for('vnet.step');

/**
 * To be called right before a step.
 *
 * @param name a verb and what it is done to, the same each time
 */
export function step(name: string): void {
  (globalThis as { [watcherKey]?: Watcher })[watcherKey]?.(name);
}
