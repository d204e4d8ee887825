/**
 * Lives here: what a defence is: the text that makes it, and the test that must
 * fail without it. Does not know: which there are, how a test is run.
 */

/** One defence. */
export interface Defence {
  /** The threat, as test/unit/threats.test.ts lists them: `T17`. */
  row: string;
  what: string;
  /** Where it is. */
  file: string;
  /** The text that makes it; it stands there once. */
  text: string;
  /** What stands in its place when it is taken out. */
  without: string;
  test: string;
  /** How the test's title begins, as it is written. */
  pattern: string;
}

/** Where something is said, how, and what is said instead. */
type Change = readonly [file: string, text: string, without: string];

/** A test, and how its title begins. */
type Proof = readonly [test: string, pattern: string];

export function defence(row: string, what: string, [file, text, without]: Change, [test, pattern]: Proof): Defence {
  return { row, what, file, text, without, test, pattern };
}
