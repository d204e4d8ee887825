import { describe, expect, it } from 'vitest';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { parseUri } from '../../../shared/uri.js';

const pki = { ca: '/etc/vnet/pki/ca.pem', certificate: '/etc/vnet/pki/client.pem', key: '/etc/vnet/pki/client-key.pem' };

describe('a URI', () => {
  it.each([
    ['vnet:///system', { scheme: 'unix', driver: 'system' }],
    ['vnet+unix:///system?socket=/tmp/a%20b.sock', { scheme: 'unix', driver: 'system', socket: '/tmp/a b.sock' }],
    ['vnet+tcp://host/system', { scheme: 'tcp', driver: 'system', host: 'host', port: 16609 }],
    ['vnet+tcp://[2001:db8::1]:99/system', { scheme: 'tcp', driver: 'system', host: '2001:db8::1', port: 99 }],
    ['vnet+tls://host/system', { scheme: 'tls', driver: 'system', host: 'host', port: 16614, pki }],
    ['vnet+tls://host:1/system?pkipath=/p', { scheme: 'tls', driver: 'system', host: 'host', port: 1, pki: { ca: '/p/ca.pem', certificate: '/p/client.pem', key: '/p/client-key.pem' } }],
    ['vnet+tls://host/system?ca=/a&cert=/b&key=/c', { scheme: 'tls', driver: 'system', host: 'host', port: 16614, pki: { ca: '/a', certificate: '/b', key: '/c' } }],
    ['vnet+tls://host/system?token-file=/t', { scheme: 'tls', driver: 'system', host: 'host', port: 16614, pki, tokenFile: '/t' }],
    ['vnet:///system?token-file=/t', { scheme: 'unix', driver: 'system', tokenFile: '/t' }],
    ['vnet+ssh://root@host:22/system', { scheme: 'ssh', driver: 'system', host: 'host', port: 22, user: 'root' }],
    ['vnet:///embed?root=/srv/vnet', { scheme: 'embed', root: '/srv/vnet' }],
    ['test:///default', { scheme: 'test' }],
  ])('%s names its place', (text, expected) => {
    expect(parseUri(text)).toEqual(expected);
  });

  it.each([
    ['', ErrorCode.NO_CONNECT, /no connection driver available for/],
    ['qemu:///system', ErrorCode.NO_CONNECT, /qemu/],
    ['test:///other', ErrorCode.NO_CONNECT, /other/],
    ['vnet://host/system', ErrorCode.INVALID_ARG, /vnet\+tls:\/\/host\/system/],
    ['vnet:///', ErrorCode.INVALID_ARG, /must be \/system/],
    ['vnet:///embed', ErrorCode.INVALID_ARG, /absolute path/],
    ['vnet:///system?sokcet=/x', ErrorCode.INVALID_ARG, /unknown parameter 'sokcet'; known: socket, token-file/],
    ['vnet+unix:///system?socket=', ErrorCode.INVALID_ARG, /empty/],
    ['vnet+unix:///system?socket=rel', ErrorCode.INVALID_ARG, /absolute/],
    ['vnet+tcp://host/system?token-file=/t', ErrorCode.INVALID_ARG, /unknown parameter 'token-file'/],
    ['vnet+tcp:///system', ErrorCode.INVALID_ARG, /host is missing/],
    ['vnet+tcp://me@host/system', ErrorCode.INVALID_ARG, /ssh only/],
    ['vnet+ssh://-oProxyCommand=x/system', ErrorCode.INVALID_ARG, /dash/],
    ['vnet+ssh://-l@host/system', ErrorCode.INVALID_ARG, /dash/],
  ])('%s is refused', (text, code, words) => {
    let error: unknown;
    try { parseUri(text); } catch (reason) { error = reason; }
    expect(error).toBeInstanceOf(NetworkError);
    expect((error as NetworkError).code).toBe(code);
    expect((error as NetworkError).message).toMatch(words);
  });
});
