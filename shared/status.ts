/**
 * Lives here: how an error travels: which gRPC status it is, and the
 * google.rpc.Status in the trailer `grpc-status-details-bin` that carries the
 * rest. Does not know: gRPC's library.
 */
import { ErrorCode, errorCodeName, NetworkError, type Problem } from './errors.js';
import { BadRequest, ErrorInfo } from './gen/google/rpc/error_details.js';
import { Status } from './gen/google/rpc/status.js';

/** The trailer's name. */
export const detailTrailer = 'grpc-status-details-bin';

/** The domain of our ErrorInfo. */
const domain = 'vnet.v1';

/** gRPC's status codes, by number. */
export enum GrpcStatus {
  OK = 0,
  CANCELLED = 1,
  UNKNOWN = 2,
  INVALID_ARGUMENT = 3,
  DEADLINE_EXCEEDED = 4,
  NOT_FOUND = 5,
  ALREADY_EXISTS = 6,
  PERMISSION_DENIED = 7,
  RESOURCE_EXHAUSTED = 8,
  FAILED_PRECONDITION = 9,
  ABORTED = 10,
  OUT_OF_RANGE = 11,
  UNIMPLEMENTED = 12,
  INTERNAL = 13,
  UNAVAILABLE = 14,
  DATA_LOSS = 15,
  UNAUTHENTICATED = 16,
}

/** The gRPC status of each error, for callers that look no further. proto/vnet/v1/error.proto documents it. */
export const statusOf = {
  [ErrorCode.UNSPECIFIED]: GrpcStatus.UNKNOWN,
  [ErrorCode.INTERNAL_ERROR]: GrpcStatus.INTERNAL,
  [ErrorCode.NO_SUPPORT]: GrpcStatus.UNIMPLEMENTED,
  [ErrorCode.NO_CONNECT]: GrpcStatus.UNAVAILABLE,
  [ErrorCode.INVALID_ARG]: GrpcStatus.INVALID_ARGUMENT,
  [ErrorCode.OPERATION_FAILED]: GrpcStatus.ALREADY_EXISTS,
  [ErrorCode.NO_NAME]: GrpcStatus.INVALID_ARGUMENT,
  [ErrorCode.XML_ERROR]: GrpcStatus.INVALID_ARGUMENT,
  [ErrorCode.OPERATION_DENIED]: GrpcStatus.PERMISSION_DENIED,
  [ErrorCode.XML_DETAIL]: GrpcStatus.INVALID_ARGUMENT,
  [ErrorCode.INVALID_NETWORK]: GrpcStatus.INVALID_ARGUMENT,
  [ErrorCode.NETWORK_EXIST]: GrpcStatus.ALREADY_EXISTS,
  [ErrorCode.SYSTEM_ERROR]: GrpcStatus.INTERNAL,
  [ErrorCode.RPC]: GrpcStatus.UNAVAILABLE,
  [ErrorCode.NO_NETWORK]: GrpcStatus.NOT_FOUND,
  [ErrorCode.INVALID_MAC]: GrpcStatus.INVALID_ARGUMENT,
  [ErrorCode.AUTH_FAILED]: GrpcStatus.UNAUTHENTICATED,
  [ErrorCode.OPERATION_INVALID]: GrpcStatus.FAILED_PRECONDITION,
  [ErrorCode.CONFIG_UNSUPPORTED]: GrpcStatus.FAILED_PRECONDITION,
  [ErrorCode.OPERATION_TIMEOUT]: GrpcStatus.DEADLINE_EXCEEDED,
  [ErrorCode.OPERATION_ABORTED]: GrpcStatus.CANCELLED,
  [ErrorCode.OVERFLOW]: GrpcStatus.INVALID_ARGUMENT,
  [ErrorCode.OPERATION_UNSUPPORTED]: GrpcStatus.UNIMPLEMENTED,
  [ErrorCode.RESOURCE_BUSY]: GrpcStatus.RESOURCE_EXHAUSTED,
  [ErrorCode.ACCESS_DENIED]: GrpcStatus.PERMISSION_DENIED,
  [ErrorCode.XML_INVALID_SCHEMA]: GrpcStatus.INVALID_ARGUMENT,
  [ErrorCode.UNRECOGNIZED]: GrpcStatus.UNKNOWN,
} satisfies Record<ErrorCode, GrpcStatus>;

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

/** The wire form of an error. */
export function encodeError(error: NetworkError): WireError {
  const status = statusOf[error.code];
  const metadata: Record<string, string> = { code: String(error.code) };
  if (error.hint !== undefined) metadata['hint'] = error.hint;
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
