/**
 * Lives here: how often something is repaired that another program undoes over
 * and over: at once a few times, then ever more rarely. Does not know: what is
 * repaired.
 */

/** So many repairs of one thing in so long are made at once; the next waits. In milliseconds. */
const calm = { repairs: 5, withinMs: 60_000 };

/** How long the first one waits that does, and the longest wait: twice as long each time. In milliseconds. */
const restMs = { first: 1000, longest: 60_000 };

/** The pace of one thing's repairs. */
export interface RepairPace {
  /** How long until it may be repaired, in milliseconds; 0: now. */
  waitMs(): number;
  /** How long it has to stand yet until repairs are made at once again, in milliseconds; 0: they are. */
  troubledForMs(): number;
  /** It is repaired now. Gives true if that was undone so often that the next repair waits, and the last one did not. */
  repaired(): boolean;
}

/** Opens the pace of one thing. @param now the time in milliseconds, of a clock that nobody sets */
export function openRepairPace(now: () => number = () => performance.now()): RepairPace {
  let recent: number[] = [];
  let restUntilMs = 0;
  let nextRestMs = restMs.first;
  let troubled = false;
  const calmAtMs = () => Math.max(restUntilMs, recent.at(-1) ?? 0) + calm.withinMs;
  return {
    waitMs: () => Math.max(0, restUntilMs - now()),
    troubledForMs: () => (troubled ? Math.max(0, calmAtMs() - now()) : 0),
    repaired: () => {
      // One that stood for long has earned repairs at once.
      if (now() >= calmAtMs()) [recent, nextRestMs, troubled] = [[], restMs.first, false];
      recent = [...recent, now()].slice(-calm.repairs);
      if (recent.length < calm.repairs || (!troubled && now() - recent[0]! >= calm.withinMs)) return false;
      restUntilMs = now() + nextRestMs;
      nextRestMs = Math.min(nextRestMs * 2, restMs.longest);
      const news = !troubled;
      troubled = true;
      return news;
    },
  };
}
