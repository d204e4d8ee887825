/** What a failure looks like, to a person, to a script and to a program. */
import { describe, expect, it } from 'vitest';
import { Exit, exitCodeOf, exitOf, Failure, renderFailure, UsageError } from '../../../client/cli/failure.js';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { GrpcStatus, statusOf } from '../../../shared/status.js';

/** The exit code of each gRPC status; the rest is 1. */
const exitOfStatus: Partial<Record<GrpcStatus, Exit>> = {
  [GrpcStatus.INVALID_ARGUMENT]: Exit.USAGE,
  [GrpcStatus.NOT_FOUND]: Exit.NOT_FOUND,
  [GrpcStatus.ALREADY_EXISTS]: Exit.CONFLICT,
  [GrpcStatus.FAILED_PRECONDITION]: Exit.CONFLICT,
  [GrpcStatus.ABORTED]: Exit.CONFLICT,
  [GrpcStatus.PERMISSION_DENIED]: Exit.NOT_PERMITTED,
  [GrpcStatus.UNAUTHENTICATED]: Exit.NOT_PERMITTED,
  [GrpcStatus.UNAVAILABLE]: Exit.UNREACHABLE,
  [GrpcStatus.DEADLINE_EXCEEDED]: Exit.TIMED_OUT,
  [GrpcStatus.CANCELLED]: Exit.INTERRUPTED,
};

const codes = Object.values(ErrorCode).filter((code) => typeof code === 'number');

it.each(codes)('error %i ends the program as its gRPC status says', (code) => {
  expect(exitOf[code]).toBe(exitOfStatus[statusOf[code]] ?? Exit.FAILED);
  expect(exitCodeOf(new Failure('what', { cause: new NetworkError(code, 'why') }))).toBe(exitOf[code]);
});

it('a bug ends it with 1, a bad command line with 2', () => {
  expect([new TypeError('bug'), new UsageError('bad')].map(exitCodeOf)).toEqual([1, 2]);
});

describe('as text', () => {
  it('says what failed, why, and what to do', () => {
    const cause = new NetworkError(ErrorCode.OPERATION_INVALID, 'network is already active', { hint: 'stop it first: vnet stop lab' });
    expect(renderFailure(new Failure('Failed to start network lab', { cause }), 'table', false)).toBe([
      'error: Failed to start network lab',
      'error: Requested operation is not valid: network is already active',
      'hint: stop it first: vnet stop lab', '',
    ].join('\n'));
    expect(renderFailure(cause, 'table', true)).toContain('\ndetail: OPERATION_INVALID (55)\n');
  });

  it('gives every problem of a document its place', () => {
    const problems = [
      { code: ErrorCode.XML_ERROR, line: 7, column: 12, path: 'network/ip/@address', message: "'x' is no address" },
      { code: ErrorCode.NO_NAME, line: 0, column: 0, path: '', message: 'no name' },
    ];
    const cause = new NetworkError(ErrorCode.XML_ERROR, 'two problems', { problems });
    expect(renderFailure(new Failure('Failed to define network from lab.xml', { cause, file: 'lab.xml' }), 'table', false)).toBe([
      'error: Failed to define network from lab.xml',
      "lab.xml:7:12: network/ip/@address: 'x' is no address",
      'lab.xml: no name', '',
    ].join('\n'));
    const one = new NetworkError(ErrorCode.XML_ERROR, 'line 7', { problems: problems.slice(0, 1) });
    expect(renderFailure(new Failure('Failed', { cause: one, file: 'lab.xml' }), 'table', false)).toBe('error: Failed\nerror: XML error: line 7\n');
    expect(renderFailure(new Failure('Failed', { cause: one, file: 'lab.xml', onlyProblems: true }), 'table', false))
      .toBe("lab.xml:7:12: network/ip/@address: 'x' is no address\n");
    expect(JSON.parse(renderFailure(new Failure('Failed', { cause, file: 'lab.xml' }), 'json', false))).toEqual({
      error: {
        code: 'XML_ERROR', message: 'Failed: XML error: two problems', field: 'network/ip/@address', hints: [],
        problems: [
          { file: 'lab.xml', line: 7, column: 12, path: 'network/ip/@address', message: "'x' is no address" },
          { file: 'lab.xml', line: 0, column: 0, path: '', message: 'no name' },
        ],
      },
    });
  });

  it('cannot be forged by what it quotes', () => {
    const text = renderFailure(new NetworkError(ErrorCode.INTERNAL_ERROR, 'tool said\nerror: all is lost\x1b[2J'), 'table', false);
    expect(text).toBe('error: internal error: tool said\n  error: all is lost\\x1b[2J\n');
  });

  it('shows where a bug is only if asked', () => {
    const bug = new TypeError('x is undefined');
    expect(renderFailure(bug, 'table', false)).toBe('error: internal error: x is undefined\n');
    expect(renderFailure(bug, 'table', true)).toMatch(/failure\.test/);
  });
});

it('as JSON it is one line', () => {
  expect(renderFailure(new UsageError('unknown command', 'help'), 'json', false))
    .toBe('{"error":{"code":"USAGE","message":"unknown command","field":null,"hints":["help"],"problems":[]}}\n');
});
