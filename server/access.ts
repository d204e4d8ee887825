/**
 * Lives here: who may call what. Does not know: how a call arrives.
 */
import { ErrorCode, NetworkError } from '../shared/errors.js';
import { changes } from '../shared/procedures.js';
import type { Call } from './calls.js';

/**
 * Lets a call pass or refuses it. Asked before the request is read.
 *
 * @throws {NetworkError} OPERATION_DENIED for a changing call of a caller that may only read
 */
export function authorize({ connection, procedure }: Call): void {
  if (connection.readonly && changes(procedure)) {
    throw new NetworkError(ErrorCode.OPERATION_DENIED, `read only access prevents ${procedure.name}`);
  }
}
