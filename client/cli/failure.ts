/**
 * Lives here: how a command fails, the exit code for it, and the words of it.
 * Does not know: any command.
 */
import { ErrorCode, errorCodeName, NetworkError } from '../../shared/errors.js';
import { GrpcStatus, statusOf } from '../../shared/grpc-status.js';
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

/** The exit code of each gRPC status that an error can be; of the rest it is FAILED. */
const exitOfStatus: Partial<Record<GrpcStatus, Exit>> = {
  [GrpcStatus.INVALID_ARGUMENT]: Exit.USAGE,
  [GrpcStatus.NOT_FOUND]: Exit.NOT_FOUND,
  [GrpcStatus.ALREADY_EXISTS]: Exit.CONFLICT,
  [GrpcStatus.FAILED_PRECONDITION]: Exit.CONFLICT,
  [GrpcStatus.PERMISSION_DENIED]: Exit.NOT_PERMITTED,
  [GrpcStatus.UNAUTHENTICATED]: Exit.NOT_PERMITTED,
  [GrpcStatus.UNAVAILABLE]: Exit.UNREACHABLE,
  [GrpcStatus.DEADLINE_EXCEEDED]: Exit.TIMED_OUT,
  [GrpcStatus.CANCELLED]: Exit.INTERRUPTED,
};

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
  /** Say nothing but the problems: the document is what this is about. */
  onlyProblems?: boolean;
}

/** A command that did not do what it should, in virsh's words: what failed, then why. */
export class Failure extends Error {
  override readonly name: string = 'Failure';
  readonly hint: string | undefined;
  readonly exit: Exit | undefined;
  readonly file: string | undefined;
  readonly onlyProblems: boolean;

  constructor(what: string, extras: FailureExtras = {}) {
    super(what, extras.cause === undefined ? {} : { cause: extras.cause });
    this.hint = extras.hint;
    this.exit = extras.exit;
    this.file = extras.file;
    this.onlyProblems = extras.onlyProblems ?? false;
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
  if (error instanceof NetworkError) return (exitOfStatus[statusOf[error.code]] ?? Exit.FAILED) ?? Exit.FAILED;
  if (error instanceof Failure) return error.exit ?? exitCodeOf(error.cause);
  return Exit.FAILED;
}

/** A failure taken apart: the one shape behind both ways of saying it. */
interface Parts {
  /** What failed, if that is worth a line. */
  what: string[];
  /** Why, in one line. */
  why: string[];
  hints: string[];
  problems: { file?: string; line: number; column: number; path: string; message: string }[];
  code: ErrorCode | undefined;
  stack: string | undefined;
}

const empty: Parts = { what: [], why: [], hints: [], problems: [], code: undefined, stack: undefined };

function partsOf(error: unknown): Parts {
  if (error instanceof Failure) {
    const { message, file, hint, onlyProblems } = error;
    const behind = error.cause === undefined ? empty : partsOf(error.cause);
    const problems = behind.problems.map((problem) => ({ ...(file === undefined ? {} : { file }), ...problem }));
    return {
      ...behind,
      what: onlyProblems && problems.length > 0 ? [] : [message, ...behind.what],
      why: onlyProblems && problems.length > 0 ? [] : behind.why,
      problems,
      hints: [...behind.hints, ...(hint === undefined ? [] : [hint])],
    };
  }
  if (error instanceof NetworkError) {
    const { message, hint, problems, code } = error;
    return { ...empty, why: [message], hints: hint === undefined ? [] : [hint], problems: problems.map(({ code: _, ...place }) => place), code };
  }
  if (error instanceof Error) return { ...empty, why: [`internal error: ${error.message}`], stack: error.stack };
  return { ...empty, why: [`internal error: ${String(error)}`] };
}

/**
 * Renders a failure for standard error.
 *
 * As text: `error: what failed`, `error: why`, then `hint: what to do`. If a
 * document has several problems, each of them stands in place of the second
 * line, as `FILE:LINE:COLUMN: PATH: message`. As JSON (also for yaml): one
 * line, `{"error":{"code","message","field","hints","problems"}}`.
 */
export function renderFailure(error: unknown, format: Format, verbose: boolean): string {
  const { what, why, hints, problems, code, stack } = partsOf(error);
  if (format === 'json' || format === 'yaml') {
    const name = code === undefined ? (error instanceof UsageError ? 'USAGE' : 'FAILED') : errorCodeName(code);
    const message = [...what, ...why].join(': ') || problems.map((problem) => problem.message).join('; ');
    return `${escapeJson(JSON.stringify({ error: { code: name, message, field: problems[0]?.path ?? null, hints, problems } }))}\n`;
  }
  const listed = problems.length > 1 || why.length === 0;
  return [
    ...[...what, ...(listed ? [] : why)].map((line) => `error: ${escapeText(line)}`),
    ...(listed ? problems.map(renderProblem) : []),
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
