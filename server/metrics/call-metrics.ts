/**
 * Lives here: what the metrics tell of calls. Does not know: how a call
 * arrives, who reads this.
 */
import { errorCodeName } from '../../shared/errors.js';
import type { CallObserver } from '../calls.js';
import { Counter, Histogram, type Metric } from './exposition.js';

/** In seconds: a lookup takes half a millisecond, the start of a network some tens, the start of many some seconds. */
const bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Counts calls and how long they took. A stream is a call that ends with it; how long it was is not counted. */
export function createCallMetrics(): CallObserver & { metrics: readonly Metric[] } {
  const calls = new Counter('vnetd_calls_total', 'Calls that have ended, by procedure, by what came of them, and by how the caller is known.');
  const seconds = new Histogram('vnetd_call_seconds', 'How long calls took, by procedure; streams are left out.', bounds);
  return {
    metrics: [calls, seconds],
    ended({ procedure, identity }, { ms, error }) {
      calls.add({ method: procedure.name, code: error === undefined ? 'OK' : errorCodeName(error.code), caller: identity.kind });
      if (!procedure.responseStream) seconds.observe({ method: procedure.name }, ms / 1000);
    },
  };
}
