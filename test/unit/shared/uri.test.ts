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
    ['vnet+ssh://root@host:22/system', { scheme: 'ssh', driver: 'system', host: 'host', port: 22, user: 'root', command: ['vnet'], noTty: false }],
    ['vnet+ssh://[2001:db8::1]/system?no_tty=1&command=sudo%20-n%20/opt/vnet&socket=/run/v.sock', {
      scheme: 'ssh', driver: 'system', host: '2001:db8::1', command: ['sudo', '-n', '/opt/vnet'], noTty: true, socket: '/run/v.sock',
    }],
    ['vnet+ssh://Host_1.lan/test?keyfile=/home/me/my%20key&known_hosts=/k', {
      scheme: 'ssh', driver: 'test', host: 'Host_1.lan', command: ['vnet'], noTty: false, keyfile: '/home/me/my key', knownHosts: '/k',
    }],
    ['vnet:///system?transport=unary', { scheme: 'unix', driver: 'system', transport: 'unary' }],
    ['vnet+tcp://host/system?transport=session', { scheme: 'tcp', driver: 'system', host: 'host', port: 16609, transport: 'session' }],
    ['vnet+tls://host/system?transport=unary', { scheme: 'tls', driver: 'system', host: 'host', port: 16614, pki, transport: 'unary' }],
    ['vnet+tls://host/system?token-file=/t', { scheme: 'tls', driver: 'system', host: 'host', port: 16614, pki, tokenFile: '/t' }],
    ['vnet:///system?token-file=/t', { scheme: 'unix', driver: 'system', tokenFile: '/t' }],
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
    ['vnet:///system?sokcet=/x', ErrorCode.INVALID_ARG, /unknown parameter 'sokcet'; known: socket, token-file, transport/],
    ['vnet:///system?transport=pigeon', ErrorCode.INVALID_ARG, /transport must be session or unary, not 'pigeon'/],
    ['vnet+unix:///system?socket=', ErrorCode.INVALID_ARG, /empty/],
    ['vnet+unix:///system?socket=rel', ErrorCode.INVALID_ARG, /absolute/],
    ['vnet+tcp://host/system?token-file=/t', ErrorCode.INVALID_ARG, /unknown parameter 'token-file'/],
    ['vnet+tcp:///system', ErrorCode.INVALID_ARG, /host is missing/],
    ['vnet+tcp://me@host/system', ErrorCode.INVALID_ARG, /ssh only/],
    ['vnet+ssh://-oProxyCommand=x/system', ErrorCode.INVALID_ARG, /dash/],
    ['vnet+ssh://-l@host/system', ErrorCode.INVALID_ARG, /dash/],
    ['vnet+ssh://%2doProxyCommand=x/system', ErrorCode.INVALID_ARG, /dash/],
    ['vnet+ssh://%2Dl@host/system', ErrorCode.INVALID_ARG, /dash/],
    ['vnet+ssh://a%0ab/system', ErrorCode.INVALID_ARG, /host 'a\nb' must be/],
    ['vnet+ssh://a%20b/system', ErrorCode.INVALID_ARG, /host/],
    ['vnet+ssh://$(id)/system', ErrorCode.INVALID_ARG, /host/],
    ['vnet+ssh://a%zz/system', ErrorCode.INVALID_ARG, /wrongly encoded/],
    ['vnet+ssh:///system', ErrorCode.INVALID_ARG, /host is missing/],
    ['vnet+ssh://a;b@host/system', ErrorCode.INVALID_ARG, /user/],
    ['vnet+ssh://a%60b@host/system', ErrorCode.INVALID_ARG, /user/],
    ['vnet+ssh://me:secret@host/system', ErrorCode.INVALID_ARG, /^(?!.*secret).*password/],
    ['vnet+ssh://h/system?command=vnet;id', ErrorCode.INVALID_ARG, /command/],
    ['vnet+ssh://h/system?command=vnet%20$(id)', ErrorCode.INVALID_ARG, /command/],
    ['vnet+ssh://h/system?command=-x', ErrorCode.INVALID_ARG, /dash/],
    ['vnet+ssh://h/system?command=vnet%20%20x', ErrorCode.INVALID_ARG, /command is missing/],
    ['vnet+ssh://h/system?socket=/run/a%20b', ErrorCode.INVALID_ARG, /socket/],
    ['vnet+ssh://h/system?socket=run', ErrorCode.INVALID_ARG, /absolute/],
    ['vnet+ssh://h/system?keyfile=-i', ErrorCode.INVALID_ARG, /dash/],
    ['vnet+ssh://h/system?known_hosts=/a%22%20b', ErrorCode.INVALID_ARG, /known_hosts/],
    ['vnet+ssh://h/system?no_tty=yes', ErrorCode.INVALID_ARG, /1 or 0/],
    ['vnet+ssh://h/system?no_verify=1', ErrorCode.INVALID_ARG, /unknown parameter 'no_verify'/],
  ])('T19: %s is refused', (text, code, words) => {
    let error: unknown;
    try { parseUri(text); } catch (reason) { error = reason; }
    expect(error).toBeInstanceOf(NetworkError);
    expect((error as NetworkError).code).toBe(code);
    expect((error as NetworkError).message).toMatch(words);
  });
});
