/**
 * Lives here: what every NetworkDriver must do about the revisions of saved
 * definitions. Part of the suite.
 */
import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../shared/errors.js';
import type { Network, NetworkDriver } from '../../shared/gen/vnet/v1/network_driver.js';
import { refused } from './refused.js';

const document = (uuid: string, title: string) => `<network>
  <name>conf-history</name>
  <uuid>${uuid}</uuid>
  <title>${title}</title>
  <bridge name='confhist0'/>
  <mac address='52:54:00:77:00:01'/>
</network>`;

/** The part of the suite about history. @param driver the driver under test, once it is open */
export function describeHistory(driver: () => NetworkDriver): void {
  describe('history', () => {
    const uuid = '00000000-1111-2222-3333-777777777777';
    const network: Network = { name: 'conf-history', uuid };
    const define = (title: string, expectedRevision?: number, more: { dryRun?: boolean; rollbackTo?: number } = {}) =>
      driver().networkDefineXml({ xml: document(uuid, title), validate: true, ...(expectedRevision === undefined ? {} : { expectedRevision }), ...more });
    const revisions = async (revision?: number) => (await driver().networkListRevisions({ network, ...(revision === undefined ? {} : { revision }) })).revisions;

    it('counts what is saved, keeps it, and refuses to overwrite what the caller does not know', async () => {
      const { revision: first } = await define('one');
      expect(first).toBeGreaterThan(0);
      const before = Date.now();
      expect((await define('two', first)).revision).toBe(first + 1);
      await refused(define('three', first), ErrorCode.OPERATION_INVALID, new RegExp(`'conf-history' was changed meanwhile: it is at revision ${first + 1} since .*, by define; revision ${first} was expected`));
      await refused(define('three', first, { dryRun: true }), ErrorCode.OPERATION_INVALID, /changed meanwhile/);
      expect((await define('three', first + 1, { dryRun: true })).revision).toBe(first + 1);
      expect((await define('one', 0, { rollbackTo: first })).revision).toBe(first + 2);
      const [current, second, oldest] = await revisions();
      expect(current).toEqual({ revision: first + 2, timeMs: expect.any(Number), cause: `rollback to ${first}`, current: true, xml: '' });
      expect(second).toMatchObject({ revision: first + 1, cause: 'define', current: false, xml: '' });
      expect(oldest).toMatchObject({ revision: first, current: false });
      expect(Math.abs(second!.timeMs - before)).toBeLessThan(60_000);
      const [kept] = await revisions(first + 1);
      expect(kept!.xml).toContain('<title>two</title>');
      await refused(revisions(first + 9), ErrorCode.INVALID_ARG, /revision \d+ of network 'conf-history' is not kept/);
      await driver().networkSetMetadata({ network, type: 2, metadata: 'four', key: '', uri: '', live: false, config: true });
      expect((await revisions())[0]).toMatchObject({ revision: first + 3, cause: 'metadata', current: true });
      await driver().networkUndefine({ network });
      await refused(revisions(), ErrorCode.NO_NETWORK, /conf-history/);
      await refused(define('five', first), ErrorCode.OPERATION_INVALID, /is not defined any more/);
      // What was undefined and is defined again goes on counting.
      expect((await define('six')).revision).toBe(first + 4);
      await driver().networkUndefine({ network });
    });

    it('lets exactly one of two win that expect the same revision, 200 times', async () => {
      let { revision } = await define('start');
      for (let round = 0; round < 200; round++) {
        const outcomes = await Promise.allSettled(['left', 'right'].map((side) => define(`${side} ${round}`, revision)));
        expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
        const lost = outcomes.find((outcome) => outcome.status === 'rejected');
        expect(lost!.reason).toMatchObject({ code: ErrorCode.OPERATION_INVALID });
        revision += 1;
        expect((await revisions())[0]).toMatchObject({ revision, current: true });
      }
      await driver().networkUndefine({ network });
    });
  });
}
