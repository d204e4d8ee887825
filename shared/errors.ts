/**
 * Lives here: the one error class of vnet, its codes, and how libvirt words
 * them. Does not know: gRPC (see `shared/status.ts`), processes, files.
 */
import { ErrorCode } from './gen/vnet/v1/error.js';

export { ErrorCode };

/** One thing that is wrong with a document, with its place in it. */
export interface Problem {
  /** The libvirt error this problem alone would be. */
  code: ErrorCode;
  /** Line in the document, from 1; 0 if it concerns the whole document. */
  line: number;
  /** Column in the line, from 1, in characters; 0 as above. */
  column: number;
  /** Where, as a path of elements: `network/ip[2]/dhcp/range/@start`. */
  path: string;
  /** What was found and what is allowed. */
  message: string;
}

/**
 * libvirt's words before the particular message (virErrorMsg), so that errors
 * read as virsh's do. Codes without words print the message alone.
 */
const prefixes: Partial<Record<ErrorCode, string>> = {
  [ErrorCode.INTERNAL_ERROR]: 'internal error',
  [ErrorCode.NO_SUPPORT]: 'this function is not supported by the connection driver',
  [ErrorCode.NO_CONNECT]: 'no connection driver available for',
  [ErrorCode.INVALID_ARG]: 'invalid argument',
  [ErrorCode.OPERATION_FAILED]: 'operation failed',
  [ErrorCode.NO_NAME]: 'missing name information in',
  [ErrorCode.XML_ERROR]: 'XML error',
  [ErrorCode.OPERATION_DENIED]: 'operation forbidden',
  [ErrorCode.INVALID_NETWORK]: 'invalid network pointer in',
  [ErrorCode.NETWORK_EXIST]: 'this network exists already',
  [ErrorCode.NO_NETWORK]: 'Network not found',
  [ErrorCode.INVALID_MAC]: 'invalid MAC address',
  [ErrorCode.AUTH_FAILED]: 'authentication failed',
  [ErrorCode.OPERATION_INVALID]: 'Requested operation is not valid',
  [ErrorCode.CONFIG_UNSUPPORTED]: 'unsupported configuration',
  [ErrorCode.OPERATION_TIMEOUT]: 'Timed out during operation',
  [ErrorCode.OPERATION_ABORTED]: 'operation aborted',
  [ErrorCode.OVERFLOW]: 'numerical overflow',
  [ErrorCode.OPERATION_UNSUPPORTED]: 'Operation not supported',
  [ErrorCode.RESOURCE_BUSY]: 'resource busy',
  [ErrorCode.ACCESS_DENIED]: 'access denied',
  [ErrorCode.XML_INVALID_SCHEMA]: 'XML document failed to validate against schema',
  [ErrorCode.NO_CLIENT]: 'Client not found',
  [ErrorCode.INVALID_NETWORK_PORT]: 'invalid network port pointer in',
  [ErrorCode.NETWORK_PORT_EXIST]: 'this network port exists already',
  [ErrorCode.NO_NETWORK_PORT]: 'network port not found',
  [ErrorCode.NO_NETWORK_METADATA]: 'metadata not found',
};

/** What a NetworkError may carry beside its code and message. */
export interface ErrorExtras {
  /** One sentence on what to do about it, with a command where there is one. */
  hint?: string | undefined;
  /** Everything wrong with a rejected document, in document order. */
  problems?: readonly Problem[] | undefined;
  /** The error behind this one; logged, never sent. */
  cause?: unknown;
}

/**
 * Anything that vnet refuses or fails at. The same class on both ends: what a
 * local driver throws, a remote one throws too.
 */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
  /** libvirt's name and number of the error. */
  readonly code: ErrorCode;
  /** What to do about it, or undefined. */
  readonly hint: string | undefined;
  /** What is wrong with a rejected document; empty for other errors. */
  readonly problems: readonly Problem[];

  /**
   * @param code what kind of error
   * @param message what failed, on what and why, worded as virsh does:
   * libvirt's words for the code are put in front
   */
  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    const prefix = prefixes[code];
    super(prefix === undefined ? message : `${prefix}: ${message}`, extras.cause === undefined ? {} : { cause: extras.cause });
    this.code = code;
    this.hint = extras.hint;
    this.problems = extras.problems ?? [];
  }

  /** The error another end sent: its message has its prefix already. */
  static received(code: ErrorCode, message: string, extras: ErrorExtras = {}): NetworkError {
    const error = new NetworkError(code, '', extras);
    error.message = message;
    return error;
  }
}

/** What an error says, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code's name as libvirt writes it, without VIR_ERR_: `NO_NETWORK`. */
export function errorCodeName(code: ErrorCode): string {
  return ErrorCode[code] ?? 'INTERNAL_ERROR';
}
