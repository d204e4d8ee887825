/**
 * Lives here: how an error travels: as a gRPC status, and the
 * google.rpc.Status in the trailer `grpc-status-details-bin` that carries the
 * rest. Does not know: gRPC's library.
 */
import { ErrorCode, errorCodeName, NetworkError, type Problem } from './errors.js';
import { BadRequest, ErrorInfo } from './gen/google/rpc/error_details.js';
import { Status } from './gen/google/rpc/status.js';
import { GrpcStatus, statusOf } from './grpc-status.js';

/** The trailer's name. */
export const detailTrailer = 'grpc-status-details-bin';

/** The domain of our ErrorInfo. */
const domain = 'vnet.v1';

/** What a bare gRPC status means to us, when no detail says more: a proxy's or the library's own error. */
const codeOfStatus: Partial<Record<number, ErrorCode>> = {
  [GrpcStatus.CANCELLED]: ErrorCode.OPERATION_ABORTED,
  [GrpcStatus.INVALID_ARGUMENT]: ErrorCode.INVALID_ARG,
  [GrpcStatus.DEADLINE_EXCEEDED]: ErrorCode.OPERATION_TIMEOUT,
  [GrpcStatus.PERMISSION_DENIED]: ErrorCode.ACCESS_DENIED,
  [GrpcStatus.RESOURCE_EXHAUSTED]: ErrorCode.RESOURCE_BUSY,
  [GrpcStatus.UNIMPLEMENTED]: ErrorCode.NO_SUPPORT,
  [GrpcStatus.UNAUTHENTICATED]: ErrorCode.AUTH_FAILED,
};

/** An error as it goes over the wire. */
export interface WireError {
  status: GrpcStatus;
  message: string;
  /** An encoded google.rpc.Status. */
  detail: Uint8Array;
}

/**
 * The wire form of an error.
 *
 * @param call what names the call that failed, in the daemon's log among others
 */
export function encodeError(error: NetworkError, call?: { id: string; requestId?: string | undefined }): WireError {
  const status = statusOf[error.code];
  const metadata: Record<string, string> = { code: String(error.code) };
  if (error.hint !== undefined) metadata['hint'] = error.hint;
  if (call !== undefined) metadata['call'] = call.id;
  if (call?.requestId !== undefined) metadata['request'] = call.requestId;
  const info = ErrorInfo.encode({ reason: errorCodeName(error.code), domain, metadata }).finish();
  const details = [{ typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo', value: Buffer.from(info) }];
  if (error.problems.length > 0) {
    const value = BadRequest.encode({ fieldViolations: error.problems.map(violationOf) }).finish();
    details.push({ typeUrl: 'type.googleapis.com/google.rpc.BadRequest', value: Buffer.from(value) });
  }
  return { status, message: error.message, detail: Status.encode({ code: status, message: error.message, details }).finish() };
}

/**
 * The error that a wire form stands for.
 *
 * @param status the gRPC status, which decides if the detail is missing or not ours
 */
export function decodeError(status: number, message: string, detail: Uint8Array | undefined): NetworkError {
  const details = detail === undefined ? [] : decodeDetails(detail);
  const info = details.find(({ typeUrl }) => typeUrl.endsWith('/google.rpc.ErrorInfo'));
  const { reason, metadata } = info === undefined ? { reason: '', metadata: {} } : ErrorInfo.decode(info.value);
  const code = ErrorCode[reason as keyof typeof ErrorCode] ?? codeOfStatus[status] ?? ErrorCode.RPC;
  const request = details.find(({ typeUrl }) => typeUrl.endsWith('/google.rpc.BadRequest'));
  const problems = request === undefined ? [] : BadRequest.decode(request.value).fieldViolations.map(problemOf);
  return NetworkError.received(code, message, { hint: (metadata as Record<string, string>)['hint'], problems });
}

function decodeDetails(detail: Uint8Array): { typeUrl: string; value: Uint8Array }[] {
  try {
    return Status.decode(detail).details;
  } catch {
    return [];
  }
}

function violationOf({ code, line, column, path, message }: Problem): BadRequest['fieldViolations'][number] {
  return { field: `${line}:${column} ${path}`, description: message, reason: errorCodeName(code) };
}

function problemOf({ field, description, reason }: BadRequest['fieldViolations'][number]): Problem {
  const [, line = '0', column = '0', path = field] = /^(\d+):(\d+) (.*)$/s.exec(field) ?? [];
  const code = ErrorCode[reason as keyof typeof ErrorCode] ?? ErrorCode.XML_ERROR;
  return { code, line: Number(line), column: Number(column), path, message: description };
}
