/**
 * Lives here: lines of the log as systemd's journal takes them: each with its
 * priority before it (sd-daemon(3)), so that `journalctl -p warning` finds what
 * matters. Its fields stay in the line, as JSON. Does not know: what is logged.
 */
import { fstatSync } from 'node:fs';

/** Where lines go. */
interface Destination {
  write(line: string): void;
}

/** syslog's priorities by pino's levels: debug, info, warning, error. What is more than an error is critical. */
const priorities = [[20, 7], [30, 6], [40, 4], [50, 3]] as const;
const critical = 2;

/**
 * Whether standard error is the journal, as systemd says by its device and
 * inode: a shell that systemd started has the same variable and another one.
 *
 * @param environment of the process
 * @param fd the descriptor; standard error unless given
 */
export function isJournal(environment: NodeJS.ProcessEnv, fd = 2): boolean {
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return environment['JOURNAL_STREAM'] === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

/** Puts the priority before each line of pino's. */
export function withPriority(destination: Destination): Destination {
  return {
    write: (line) => {
      const level = Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? 30);
      const [, priority] = priorities.find(([most]) => level <= most) ?? [0, critical];
      destination.write(`<${priority}>${line}`);
    },
  };
}
