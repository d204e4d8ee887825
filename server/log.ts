/**
 * Lives here: what the server's rooms ask of a log. pino's logger is one.
 */

/** A log that takes fields for a program and a message for a person. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** Whether lines of a level are kept, for who would put many together in vain. */
  isLevelEnabled?(level: 'debug'): boolean;
}

/** A log that keeps nothing. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
