/**
 * Lives here: what a read-only way lets pass, whoever comes by it. Does not
 * know: identities, how a call arrives.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import { changes } from '../../shared/procedures.js';
import type { Call } from '../calls.js';

/**
 * Lets a call pass or refuses it. Asked before the request is read.
 *
 * @throws {NetworkError} OPERATION_DENIED for a changing call on a read-only connection
 */
export function refuseChanges({ connection, procedure }: Pick<Call, 'connection' | 'procedure'>): void {
  if (connection.readonly && changes(procedure)) {
    throw new NetworkError(ErrorCode.OPERATION_DENIED, `read only access prevents ${procedure.name}`);
  }
}
