/**
 * Lives here: whether a text tells of a network that its reader may not see,
 * and what it is told instead. Does not know: who may see what.
 */
import { NetworkError } from '../../shared/errors.js';
import type { Network } from '../../shared/gen/vnet/v1/network_driver.js';

/** What can stand beside a name without being a part of it. */
const letter = /[A-Za-z0-9_.-]/;

/** Whether a text has the name or the UUID of one of these networks in it. */
export function mentions(text: string, networks: readonly Network[]): boolean {
  return networks.some(({ name, uuid }) => hasWord(text, name) || text.includes(uuid));
}

function hasWord(text: string, word: string): boolean {
  if (word === '') return false;
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    if (!letter.test(text[at - 1] ?? ' ') && !letter.test(text[at + word.length] ?? ' ')) return true;
  }
  return false;
}

/**
 * An error without what it tells of these networks. Its code stays. What led
 * to it goes to the log.
 */
export function withoutMention(error: unknown, networks: readonly Network[]): unknown {
  // Problems are those of the caller's own document, found before anything else is looked at.
  if (!(error instanceof NetworkError) || error.problems.length > 0) return error;
  if (!mentions(`${error.message}\n${error.hint ?? ''}`, networks)) return error;
  return new NetworkError(error.code, 'it clashes with a network that you may not see', {
    cause: error, hint: 'whoever sees all networks of the host can tell more: ask for the reason in its log',
  });
}
