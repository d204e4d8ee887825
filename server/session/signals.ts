/**
 * Lives here: signals for calls, used again and again. Making an AbortSignal
 * costs as much as all the rest of a short call, and one that never came is as
 * good as new. Does not know: calls.
 */
import { getEventListeners } from 'node:events';

/** How many are kept. */
const most = 1024;

const spare: AbortController[] = [];

/** A signal that has not come. */
export function borrowSignal(): AbortController {
  return spare.pop() ?? new AbortController();
}

/** Gives a signal back that nobody will give any more, or listen to. One that came, or that somebody still listens to, is not used again. */
export function returnSignal(controller: AbortController): void {
  const { signal } = controller;
  if (spare.length < most && !signal.aborted && getEventListeners(signal, 'abort').length === 0) spare.push(controller);
}
