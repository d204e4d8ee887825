/**
 * Lives here: how a command fails, the exit code for it, and the words of it.
 * Does not know: any command.
 */
import { ErrorCode, errorCodeName, NetworkError } from '../../shared/errors.js';
import type { Format } from './command.js';
import { escapeJson, escapeLine, escapeText } from './escape.js';

/** What the program can end with. */
export enum Exit {
  DONE = 0,
  FAILED = 1,
  /** A bad command line or document. */
  USAGE = 2,
  NOT_FOUND = 3,
  /** The network is in the wrong state, or something else has the name. */
  CONFLICT = 4,
  NOT_PERMITTED = 5,
  UNREACHABLE = 6,
  /** Some of several targets failed. */
  PARTLY = 7,
  TIMED_OUT = 8,
  INTERRUPTED = 130,
}

/** The exit code of every error. */
export const exitOf = {
  [ErrorCode.UNSPECIFIED]: Exit.FAILED,
  [ErrorCode.INTERNAL_ERROR]: Exit.FAILED,
  [ErrorCode.NO_SUPPORT]: Exit.FAILED,
  [ErrorCode.NO_CONNECT]: Exit.UNREACHABLE,
  [ErrorCode.INVALID_ARG]: Exit.USAGE,
  [ErrorCode.OPERATION_FAILED]: Exit.CONFLICT,
  [ErrorCode.NO_NAME]: Exit.USAGE,
  [ErrorCode.XML_ERROR]: Exit.USAGE,
  [ErrorCode.OPERATION_DENIED]: Exit.NOT_PERMITTED,
  [ErrorCode.XML_DETAIL]: Exit.USAGE,
  [ErrorCode.INVALID_NETWORK]: Exit.USAGE,
  [ErrorCode.NETWORK_EXIST]: Exit.CONFLICT,
  [ErrorCode.SYSTEM_ERROR]: Exit.FAILED,
  [ErrorCode.RPC]: Exit.UNREACHABLE,
  [ErrorCode.NO_NETWORK]: Exit.NOT_FOUND,
  [ErrorCode.INVALID_MAC]: Exit.USAGE,
  [ErrorCode.AUTH_FAILED]: Exit.NOT_PERMITTED,
  [ErrorCode.OPERATION_INVALID]: Exit.CONFLICT,
  [ErrorCode.CONFIG_UNSUPPORTED]: Exit.CONFLICT,
  [ErrorCode.OPERATION_TIMEOUT]: Exit.TIMED_OUT,
  [ErrorCode.OPERATION_ABORTED]: Exit.INTERRUPTED,
  [ErrorCode.OVERFLOW]: Exit.USAGE,
  [ErrorCode.OPERATION_UNSUPPORTED]: Exit.FAILED,
  [ErrorCode.RESOURCE_BUSY]: Exit.FAILED,
  [ErrorCode.ACCESS_DENIED]: Exit.NOT_PERMITTED,
  [ErrorCode.XML_INVALID_SCHEMA]: Exit.USAGE,
  [ErrorCode.UNRECOGNIZED]: Exit.FAILED,
} satisfies Record<ErrorCode, Exit>;

/** What a failure may carry beside its words. */
export interface FailureExtras {
  /** What to do about it. */
  hint?: string | undefined;
  /** The error behind it: its message is the second line. */
  cause?: unknown;
  /** The exit code, if the cause does not decide it. */
  exit?: Exit;
  /** The document that the cause's problems are in. */
  file?: string;
}

/** A command that did not do what it should, in virsh's words: what failed, then why. */
export class Failure extends Error {
  override readonly name: string = 'Failure';
  readonly hint: string | undefined;
  readonly exit: Exit | undefined;
  readonly file: string | undefined;

  constructor(what: string, extras: FailureExtras = {}) {
    super(what, extras.cause === undefined ? {} : { cause: extras.cause });
    this.hint = extras.hint;
    this.exit = extras.exit;
    this.file = extras.file;
  }
}

/** A command line that means nothing. */
export class UsageError extends Failure {
  constructor(what: string, hint?: string) {
    super(what, { hint, exit: Exit.USAGE });
  }
}

/** Does something, and says what it was if it fails. */
export async function attempt<T>(what: string, work: () => Promise<T>, extras: FailureExtras = {}): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof Failure ? error : new Failure(what, { ...extras, cause: error });
  }
}

/** The exit code for whatever was thrown. */
export function exitCodeOf(error: unknown): Exit {
  if (error instanceof NetworkError) return exitOf[error.code] ?? Exit.FAILED;
  if (error instanceof Failure) return error.exit ?? exitCodeOf(error.cause);
  return Exit.FAILED;
}

/** A failure taken apart: the one shape behind both ways of saying it. */
interface Parts {
  /** What failed, then why. */
  lines: string[];
  hints: string[];
  problems: { file?: string; line: number; column: number; path: string; message: string }[];
  code: ErrorCode | undefined;
  stack: string | undefined;
}

function partsOf(error: unknown): Parts {
  if (error instanceof Failure) {
    const { lines, hints, problems, ...rest } = error.cause === undefined ? empty : partsOf(error.cause);
    return {
      ...rest,
      lines: [error.message, ...lines].filter((line) => line !== ''),
      hints: [...hints, ...(error.hint === undefined ? [] : [error.hint])],
      problems: error.file === undefined ? problems : problems.map((problem) => ({ ...problem, file: error.file! })),
    };
  }
  if (error instanceof NetworkError) {
    const { message, hint, problems, code } = error;
    return { ...empty, lines: [message], hints: hint === undefined ? [] : [hint], problems: problems.map(({ code: _, ...place }) => place), code };
  }
  return { ...empty, lines: [`internal error: ${error instanceof Error ? error.message : String(error)}`], stack: error instanceof Error ? error.stack : undefined };
}

const empty: Parts = { lines: [], hints: [], problems: [], code: undefined, stack: undefined };

/**
 * Renders a failure for standard error.
 *
 * As text: `error: what failed`, `error: why`, each problem of a document as
 * `FILE:LINE:COLUMN: PATH: message`, then `hint: what to do`. As JSON (also
 * for yaml): one line, `{"error":{"code","message","field","hints","problems"}}`.
 */
export function renderFailure(error: unknown, format: Format, verbose: boolean): string {
  const { lines, hints, problems, code, stack } = partsOf(error);
  if (format === 'json' || format === 'yaml') {
    const message = lines.join(': ');
    const name = code === undefined ? (error instanceof UsageError ? 'USAGE' : 'FAILED') : errorCodeName(code);
    return `${escapeJson(JSON.stringify({ error: { code: name, message, field: problems[0]?.path ?? null, hints, problems } }))}\n`;
  }
  return [
    ...lines.map((line) => `error: ${escapeText(line)}`),
    ...problems.map(renderProblem),
    ...(verbose && code !== undefined ? [`detail: ${errorCodeName(code)} (${code})`] : []),
    ...(verbose && stack !== undefined ? [escapeText(stack)] : []),
    ...hints.map((hint) => `hint: ${escapeText(hint)}`),
  ].map((line) => `${line}\n`).join('');
}

/** One problem of a document as compilers print them, so that editors can jump to it. */
export function renderProblem({ file, line, column, path, message }: Parts['problems'][number]): string {
  const place = [file, ...(line > 0 ? [line, column] : [])].filter((part) => part !== undefined).join(':');
  return escapeLine([place, path, message].filter((part) => part !== '').join(': '));
}
