import { describe, expect, it } from 'vitest';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { GrpcStatus, statusOf } from '../../../shared/grpc-status.js';
import { decodeError, encodeError } from '../../../shared/status.js';

describe('an error on the wire', () => {
  it.each(Object.values(ErrorCode).filter((code): code is ErrorCode => typeof code === 'number' && code > 0))('comes back as it was sent: %i', (code) => {
    const error = new NetworkError(code, 'what happened', { hint: 'what to do' });
    const { status, message, detail } = encodeError(error);
    expect(status).toBe(statusOf[code]);
    expect(status).not.toBe(GrpcStatus.OK);
    const received = decodeError(status, message, detail);
    expect(received).toBeInstanceOf(NetworkError);
    expect({ code: received.code, message: received.message, hint: received.hint })
      .toEqual({ code: error.code, message: error.message, hint: 'what to do' });
  });

  it('carries every problem of a document with its place', () => {
    const problems = [
      { code: ErrorCode.XML_ERROR, line: 3, column: 7, path: 'network/ip[2]/@address', message: "'x' is no address" },
      { code: ErrorCode.NO_NAME, line: 0, column: 0, path: '', message: 'no name' },
    ];
    const { status, message, detail } = encodeError(new NetworkError(ErrorCode.XML_ERROR, 'bad', { problems }));
    expect(decodeError(status, message, detail).problems).toEqual(problems);
  });

  it('is understood without our detail, as another program or a proxy sends it', () => {
    expect(decodeError(GrpcStatus.PERMISSION_DENIED, 'no', undefined)).toMatchObject({ code: ErrorCode.ACCESS_DENIED, message: 'no' });
    expect(decodeError(GrpcStatus.DATA_LOSS, 'no', undefined).code).toBe(ErrorCode.RPC);
    expect(decodeError(GrpcStatus.NOT_FOUND, 'no', Buffer.from('\xff\xff garbage', 'latin1')).code).toBe(ErrorCode.RPC);
  });

  it('words errors as libvirt does', () => {
    expect(new NetworkError(ErrorCode.OPERATION_INVALID, 'network is already active').message)
      .toBe('Requested operation is not valid: network is already active');
    expect(new NetworkError(ErrorCode.SYSTEM_ERROR, 'cannot x: No space left on device').message).toBe('cannot x: No space left on device');
  });
});
