/**
 * Lives here: which gRPC status each error is. Does not know: the wire, so that
 * whoever wants only the table loads nothing else.
 */
import { ErrorCode } from './errors.js';

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
  [ErrorCode.NO_CLIENT]: GrpcStatus.NOT_FOUND,
  [ErrorCode.INVALID_NETWORK_PORT]: GrpcStatus.INVALID_ARGUMENT,
  [ErrorCode.NETWORK_PORT_EXIST]: GrpcStatus.ALREADY_EXISTS,
  [ErrorCode.NO_NETWORK_PORT]: GrpcStatus.NOT_FOUND,
  [ErrorCode.NO_NETWORK_METADATA]: GrpcStatus.NOT_FOUND,
  [ErrorCode.UNRECOGNIZED]: GrpcStatus.UNKNOWN,
} satisfies Record<ErrorCode, GrpcStatus>;
