/**
 * Lives here: the lines of the log about calls. Does not know: the audit,
 * which is for other readers.
 */
import { errorCodeName, NetworkError } from '../shared/errors.js';
import { changes } from '../shared/procedures.js';
import type { CallObserver } from './calls.js';
import type { Log } from './log.js';

/** Logs every call when it has ended: those that change something as `info`, others as `debug`. */
export function createCallLog(log: Log): CallObserver {
  return {
    ended({ procedure, connection, identity, id, requestId }, { ms, error }) {
      const level = changes(procedure) ? 'info' : 'debug';
      if (level === 'debug' && log.isLevelEnabled?.('debug') === false) return;
      const fields = { procedure: procedure.name, who: identity.name, listener: connection.listener, connection: connection.id, call: id, request: requestId, ms: Math.round(ms * 10) / 10 };
      if (error === undefined) log[level](fields, 'call done');
      else log[level]({ ...fields, code: errorCodeName(error.code), reason: error.message, ...causeOf(error) }, 'call failed');
    },
  };
}

/** What an error really was, where its caller may not know. */
function causeOf({ cause }: NetworkError): { cause?: string } {
  return cause instanceof NetworkError ? { cause: cause.message } : {};
}
