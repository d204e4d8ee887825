/** Services of libraries that are loaded when somebody who may calls them. */
import { EventEmitter } from 'node:events';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { openLate, type LateService } from '../../../server/late.js';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';

const bytes = (value: unknown) => value as Buffer;
const shape = { path: '/a/B', requestStream: false, responseStream: false };

/** Calls a method that doubles a letter. Gives what it answered, and how often its library was loaded. */
async function call(welcome: () => Promise<void>, { request = 'x', cancelled = false } = {}) {
  let loads = 0;
  const load = (): LateService => {
    loads += 1;
    const requestDeserialize = (given: Buffer) => { if (given.length !== 1) throw new Error('one letter'); return given.toString(); };
    return {
      definition: { b: { ...shape, requestDeserialize, requestSerialize: bytes, responseSerialize: bytes, responseDeserialize: bytes } },
      implementation: { b: ((asked: { request: string }, respond: (error: null, answer: string) => void) => respond(null, asked.request + asked.request)) as unknown as UntypedServiceImplementation[string] },
    };
  };
  const { implementation } = openLate({ b: shape }, load, welcome);
  const answers: unknown[] = [];
  await (implementation['b'] as unknown as (asked: object, respond: (...said: unknown[]) => void) => Promise<void>)(
    Object.assign(new EventEmitter(), { request: Buffer.from(request), cancelled }), (...said) => answers.push(said),
  );
  return { loads, answers };
}

it('answer whoever is welcome', async () => {
  expect(await call(async () => undefined)).toEqual({ loads: 1, answers: [[null, 'xx']] });
});

it('say what is wrong with a request', async () => {
  expect((await call(async () => undefined, { request: 'long' })).answers).toEqual([[expect.objectContaining({ code: 3, details: expect.stringContaining('one letter') })]]);
});

it('are not loaded for who is refused, or has gone meanwhile', async () => {
  const refuse = async () => { throw new NetworkError(ErrorCode.ACCESS_DENIED, 'b'); };
  expect(await call(refuse)).toEqual({ loads: 0, answers: [[expect.objectContaining({ code: 7 })]] });
  expect(await call(async () => undefined, { cancelled: true })).toEqual({ loads: 0, answers: [] });
});
