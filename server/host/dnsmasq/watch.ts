/**
 * Lives here: noticing that a file has changed, however it is changed. Does
 * not know: what is in it.
 */
import { watch, type FSWatcher } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

/** A change is often several events; they are taken together if they come within this time. */
const settleMs = 50;

/** Something that is being watched. */
export interface Watch {
  close(): void;
}

/**
 * Calls a function after each change of a file that may be written, replaced,
 * removed, missing at first, a link, or mounted in its place: so its folder is
 * watched, the folder it is a link into, and itself. A place that is not there
 * is not watched.
 *
 * @param changed must not throw
 */
export async function watchFile(path: string, changed: () => Promise<void>): Promise<Watch> {
  let watchers: FSWatcher[] = [];
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const release = () => watchers.splice(0).forEach((watcher) => watcher.close());
  const arm = async (): Promise<void> => {
    const target = await realpath(path).catch(() => path);
    const names = new Set<string | null>([null, basename(path), basename(target)]);
    release();
    if (closed) return;
    const places = new Set([dirname(path), dirname(target), target]);
    watchers = [...places].flatMap((place) => watchPlace(place, (name) => {
      if (!names.has(name)) return;
      clearTimeout(timer);
      timer = setTimeout(() => void arm().then(changed), settleMs).unref();
    }));
  };
  await arm();
  return {
    close: () => {
      closed = true;
      clearTimeout(timer);
      release();
    },
  };
}

function watchPlace(place: string, event: (name: string | null) => void): FSWatcher[] {
  try {
    return [watch(place, { persistent: false }, (_, name) => event(name)).on('error', () => undefined)];
  } catch {
    return [];
  }
}
