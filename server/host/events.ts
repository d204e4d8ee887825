/**
 * Lives here: what happens on the machine on its way to the rules: pieces of
 * the host put it in, one reader takes it out. Does not know: what it means.
 */
import type { HostEvent } from '../driver/host.js';

/** Something to put events into. */
export type Tell = (event: HostEvent) => void;

/** Events on their way. */
export interface HostEvents {
  tell: Tell;
  /** What was told since the last time; waits until there is something, and gives nothing once it is closed. */
  next(): Promise<HostEvent[]>;
  close(): void;
}

/** Opens an empty queue. */
export function openHostEvents(): HostEvents {
  const waiting: HostEvent[] = [];
  let wake = () => {};
  let closed = false;
  return {
    tell: (event) => {
      if (closed) return;
      waiting.push(event);
      wake();
    },
    next: async () => {
      if (waiting.length === 0 && !closed) await new Promise<void>((resolve) => { wake = resolve; });
      return waiting.splice(0);
    },
    close: () => {
      closed = true;
      waiting.length = 0;
      wake();
    },
  };
}
