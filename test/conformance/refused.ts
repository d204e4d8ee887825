/**
 * Lives here: the check that a call is refused as it should be. Does not know:
 * what is called.
 */
import { expect } from 'vitest';
import { ErrorCode, NetworkError } from '../../shared/errors.js';

/** Says that a call is refused with this error. */
export async function refused(call: Promise<unknown>, code: ErrorCode, words: RegExp): Promise<void> {
  const error = await call.then(() => undefined, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(NetworkError);
  const { code: found, message } = error as NetworkError;
  expect({ code: ErrorCode[found], message }).toEqual({ code: ErrorCode[code], message: expect.stringMatching(words) });
}
