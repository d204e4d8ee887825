/** What a failure looks like, to a person, to a script and to a program. */
import { describe, expect, it } from 'vitest';
import { Exit, exitCodeOf, Failure, renderFailure, UsageError } from '../../../client/cli/failure.js';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';

/** What each error ends the program with. */
const exits: Record<keyof typeof ErrorCode, Exit> = {
  UNSPECIFIED: Exit.FAILED,
  INTERNAL_ERROR: Exit.FAILED,
  NO_SUPPORT: Exit.FAILED,
  NO_CONNECT: Exit.UNREACHABLE,
  INVALID_ARG: Exit.USAGE,
  OPERATION_FAILED: Exit.CONFLICT,
  NO_NAME: Exit.USAGE,
  XML_ERROR: Exit.USAGE,
  OPERATION_DENIED: Exit.NOT_PERMITTED,
  XML_DETAIL: Exit.USAGE,
  INVALID_NETWORK: Exit.USAGE,
  NETWORK_EXIST: Exit.CONFLICT,
  SYSTEM_ERROR: Exit.FAILED,
  RPC: Exit.UNREACHABLE,
  NO_NETWORK: Exit.NOT_FOUND,
  INVALID_MAC: Exit.USAGE,
  AUTH_FAILED: Exit.NOT_PERMITTED,
  OPERATION_INVALID: Exit.CONFLICT,
  CONFIG_UNSUPPORTED: Exit.CONFLICT,
  OPERATION_TIMEOUT: Exit.TIMED_OUT,
  OPERATION_ABORTED: Exit.INTERRUPTED,
  OVERFLOW: Exit.USAGE,
  OPERATION_UNSUPPORTED: Exit.FAILED,
  RESOURCE_BUSY: Exit.FAILED,
  ACCESS_DENIED: Exit.NOT_PERMITTED,
  XML_INVALID_SCHEMA: Exit.USAGE,
  NO_CLIENT: Exit.NOT_FOUND,
  INVALID_NETWORK_PORT: Exit.USAGE,
  NETWORK_PORT_EXIST: Exit.CONFLICT,
  NO_NETWORK_PORT: Exit.NOT_FOUND,
  NO_NETWORK_METADATA: Exit.NOT_FOUND,
  UNRECOGNIZED: Exit.FAILED,
};

it.each(Object.entries(exits))('error %s ends the program with %i', (name, exit) => {
  const code = ErrorCode[name as keyof typeof ErrorCode];
  expect(exitCodeOf(new Failure('what', { cause: new NetworkError(code, 'why') }))).toBe(exit);
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
