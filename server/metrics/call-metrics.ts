/**
 * Lives here: what the metrics tell of calls. Does not know: how a call
 * arrives, who reads this.
 */
import { errorCodeName } from '../../shared/errors.js';
import type { CallObserver } from '../calls.js';
import type { Identity } from '../connections.js';
import { Counter, Histogram, type Metric } from './exposition.js';

/** In seconds: a lookup takes half a millisecond, the start of a network some tens, the start of many some seconds. */
const bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Counts calls and how long they took. A stream is a call that ends with it; how long it was is not counted. */
export function createCallMetrics(): CallObserver & { metrics: readonly Metric[] } {
  const calls = new Counter('vnetd_calls_total', 'Calls that have ended, by procedure, by what came of them, and by how the caller is known.');
  const seconds = new Histogram('vnetd_call_seconds', 'How long calls took, by procedure; streams are left out.', bounds);
  // Putting labels together takes longer than counting.
  const secondsOf = remembering((method: string) => seconds.at({ method }));
  const succeeded = remembering((method: string) => remembering((caller: Identity['kind']) => calls.at({ method, code: 'OK', caller })));
  return {
    metrics: [calls, seconds],
    ended({ procedure: { name, responseStream }, identity: { kind } }, { ms, error }) {
      if (error === undefined) succeeded(name)(kind).value += 1;
      else calls.add({ method: name, code: errorCodeName(error.code), caller: kind });
      if (!responseStream) seconds.observe(secondsOf(name), ms / 1000);
    },
  };
}

/** A function that is asked once for each key. */
function remembering<Key, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const known = new Map<Key, Value>();
  return (key) => {
    let value = known.get(key);
    if (value === undefined) known.set(key, value = make(key));
    return value;
  };
}
