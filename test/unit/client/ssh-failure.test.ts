/** What the end of an ssh means: its exit code and words, as OpenSSH and shells have them. */
import { describe, expect, it } from 'vitest';
import { renderSsh } from '../../../client/ssh.js';
import { explainSshEnd } from '../../../client/ssh-failure.js';
import { ErrorCode } from '../../../shared/errors.js';
import { parseUri, type SshUri } from '../../../shared/uri.js';

const uri = parseUri('vnet+ssh://me@host7:2222/system?keyfile=/k') as SshUri;
const changed = `@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Offending ECDSA key in /home/me/.ssh/known_hosts:3
Host key for [host7]:2222 has changed and you have requested strict checking.
Host key verification failed.`;

describe('an ssh that ended', () => {
  it.each([
    ['no key', 255, 'me@host7: Permission denied (publickey).', ErrorCode.AUTH_FAILED, /not let in at 'me@host7:2222': me@host7: Permission denied/, /ssh -p 2222 -i '\/k' me@host7/],
    ['too many keys', 255, 'Received disconnect from 192.0.2.1 port 2222:2: Too many authentication failures', ErrorCode.AUTH_FAILED, /not let in/, /ssh/],
    ['an unknown host', 255, 'No ED25519 host key is known for [host7]:2222 and you have requested strict checking.\nHost key verification failed.', ErrorCode.AUTH_FAILED, /is not known/, /log in once by hand/],
    ['a changed key', 255, changed, ErrorCode.AUTH_FAILED, /has changed.*Offending/, /ssh-keygen -R '\[host7\]:2222'/],
    ['no name', 255, 'ssh: Could not resolve hostname host7: Name or service not known', ErrorCode.RPC, /unable to find the host/, /spelled right/],
    ['nobody there', 255, 'ssh: connect to host host7 port 2222: Connection refused', ErrorCode.RPC, /unable to connect .*Connection refused/, /does sshd listen/],
    ['no way', 255, 'ssh: connect to host host7 port 2222: Connection timed out', ErrorCode.RPC, /timed out/, /reachable/],
    ['a jump host\'s refusal', 255, 'me@jump: Permission denied (publickey).\r\nConnection closed by UNKNOWN port 65535', ErrorCode.AUTH_FAILED, /me@jump: Permission denied \(publickey\)\.$/, /ssh/],
    ['a bad configuration', 255, '/home/me/.ssh/config: line 3: Bad configuration option: foo\n/home/me/.ssh/config: terminating, 1 bad configuration options', ErrorCode.SYSTEM_ERROR, /own configuration/, /without vnet/],
    ['something else', 255, 'kex_exchange_identification: Connection closed by remote host', ErrorCode.RPC, /kex_exchange/, /ssh -v -p 2222/],
    ['nothing', 255, '', ErrorCode.RPC, /ended with 255 without a word/, /-v/],
    ['no program', 127, 'bash: line 1: vnet: command not found', ErrorCode.RPC, /'vnet' cannot be run on .*command not found/, /\?command=/],
    ['no Node', 127, "/usr/bin/env: 'node': No such file or directory", ErrorCode.RPC, /'node': No such file/, /PATH/],
    ['another program', 2, "error: unknown command: 'proxy'", ErrorCode.RPC, /does not know 'proxy'/, /older/],
    ['a crash', 1, 'Segmentation fault', ErrorCode.RPC, /'vnet proxy' on .* ended with 1: Segmentation fault/, /ssh .* vnet proxy/],
  ])('for %s', (_, code, words, expected, message, hint) => {
    const error = explainSshEnd(uri, { code, words });
    expect(error.code).toBe(expected);
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });

  it('passes on what the vnet on the far side says, after whatever else was said', () => {
    const line = JSON.stringify({ error: { code: 'RPC', message: "Failed to connect socket to '/run/vnet/vnet.sock': Connection refused", hints: ['start it'] } });
    expect(explainSshEnd(uri, { code: 6, words: `a banner\n${line}\n` })).toMatchObject({ code: ErrorCode.RPC, message: "Failed to connect socket to '/run/vnet/vnet.sock': Connection refused", hint: 'start it' });
  });

  it.each(['{"error":', '{"error":null}', '{"error":{"code":"toString","message":1}}', '{"error":{"code":"NONE","message":"x"}}'])('takes %s from the far side for mere words', (words) => {
    expect(explainSshEnd(uri, { code: 6, words })).toMatchObject({ code: ErrorCode.RPC, message: expect.stringContaining('ended with 6') });
  });

  it('says that a signal ended it, and keeps long words short', () => {
    expect(explainSshEnd(uri, { words: '' }).message).toContain('ended by a signal');
    expect(explainSshEnd(uri, { code: 255, words: 'x'.repeat(10_000) }).message.length).toBeLessThan(1_200);
  });
});

it('T19: ssh gets words, of which none after its options is one, whatever they begin with', () => {
  const words = renderSsh({ ...uri, host: '-oProxyCommand=x', socket: '/s' }, true);
  const end = words.indexOf('--');
  expect(words.slice(end + 1)).toEqual(['-oProxyCommand=x', 'vnet', 'proxy', '-o', 'json', '--socket', '/s', '--readonly']);
  const options = words.slice(0, end).join(' ');
  expect(options).toContain('-o ClearAllForwardings=yes -o PermitLocalCommand=no -o RemoteCommand=none');
  expect(options).not.toMatch(/StrictHostKeyChecking|ForwardAgent|-A/);
});
