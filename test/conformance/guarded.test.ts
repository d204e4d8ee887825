/** A guard that lets everything pass is not there: the suite, for a caller with all rights on `*`, each call decided one by one. */
import { guardDriver } from '../../server/access/guard.js';
import { Rights } from '../../server/access/rights.js';
import { parseTable } from '../../server/access/table.js';
import { openTestDriver } from '../../server/driver/test-driver.js';
import { describeConformance } from './suite.js';

describeConformance('test driver behind a guard', async () => {
  const rights = new Rights(parseTable('[[allow]]\neveryone = true\nnetworks = "*"\nrights = "all"', 'access.toml'));
  if (rights.everything) throw new Error('nothing would be decided');
  return { driver: guardDriver(await openTestDriver(), { who: 'somebody', rights: () => rights }), close: async () => undefined };
});
