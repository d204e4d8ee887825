/** The conformance suite against the test driver, in this process and over every transport, as a session and call by call. */
import { afterAll, beforeAll } from 'vitest';
import { connect } from '../../client/connect.js';
import { openServing, type Serving } from '../serving.js';
import { describeConformance } from './suite.js';

let serving: Serving;
beforeAll(async () => { serving = await openServing('test'); });
afterAll(() => serving?.close());

describeConformance('test driver in this process', () => connect('test:///default'));
for (const way of ['unix', 'tcp', 'tls'] as const) {
  for (const transport of ['session', 'unary'] as const) {
    describeConformance(`test driver over ${way}, ${transport}`, () => connect(serving.uris[way], { transport }));
  }
}
