/**
 * Lives here: what rules looked like when they were first seen after we made
 * them, so that a change by another program shows. Does not know: rules.
 */

/** What was seen of things, each under a key. */
export interface Seen {
  /** Whether a thing looks as it did when it was first asked about. */
  isSame(key: string, looks: string): boolean;
  /** To be called when a thing is changed on purpose. */
  forget(key: string): void;
}

/** Opens an empty memory. */
export function openSeen(): Seen {
  const seen = new Map<string, string>();
  return {
    isSame(key, looks) {
      const before = seen.get(key) ?? looks;
      seen.set(key, before);
      return before === looks;
    },
    forget: (key) => void seen.delete(key),
  };
}
