/**
 * Lives here: who may call what. Does not know: how a call arrives.
 */
import { ErrorCode, NetworkError } from '../shared/errors.js';
import { changes, type Procedure } from '../shared/procedures.js';

/** Who calls, as far as the daemon can tell. */
export interface Caller {
  /** The listener the call came in by. */
  listener: 'unix' | 'unix-readonly' | 'tcp' | 'tls';
  /** Nothing may be changed by this way. */
  readonly: boolean;
}

/**
 * Lets a call pass or refuses it. Asked before the request is read.
 *
 * @throws {NetworkError} OPERATION_DENIED for a changing call of a caller that may only read
 */
export function authorize(caller: Caller, procedure: Procedure): void {
  if (caller.readonly && changes(procedure)) {
    throw new NetworkError(ErrorCode.OPERATION_DENIED, `read only access prevents ${procedure.name}`);
  }
}
