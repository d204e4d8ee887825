/** What the commands about the daemon itself print. */
import { describe, expect, it } from 'vitest';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import type { Admin, Client } from '../../../shared/gen/vnet/v1/admin.js';
import { runVnet } from './run-vnet.js';

const client: Client = {
  id: 7, listener: 'unix', readonly: false, peer: 'local', sinceMs: Date.UTC(2026, 0, 2, 3, 4, 5), inFlight: 1,
  identity: { kind: 'unix', name: 'alice (uid 1000)', token: '', certificate: undefined, unix: { pid: 12, uid: 1000, gid: 1000, user: 'alice', groups: ['alice', 'vnet'] } },
};
const hostile: Client = {
  ...client, id: 8, listener: 'tls', peer: '198.51.100.7:4', inFlight: 0,
  identity: { kind: 'certificate', name: 'CN=\x1b]0;eve', token: '', unix: undefined, certificate: { subject: ['CN=\x1b]0;eve'], alternativeNames: ['DNS:eve'], fingerprint: 'ab' } },
};
const asked: object[] = [];
const admin: Admin = {
  whoAmI: async () => ({ client, identity: client.identity, rights: [{ permissions: ['connect:getattr', 'network:start', 'network:stop', 'admin'], networks: ['lab-*', 'x'] }, { permissions: ['network:read'], networks: [] }] }),
  listClients: async () => ({ clients: [client, hostile] }),
  disconnectClient: async (request) => { asked.push(request); return {}; },
  getLogLevel: async () => ({ level: 'info' }),
  setLogLevel: async (request) => { asked.push(request); return { previous: 'info' }; },
};
const vnet = (argv: string[], given: Partial<Admin> = {}) => runVnet(argv, {
  connect: async (uri) => ({ driver: {} as never, uri, admin: async () => ({ ...admin, ...given }), close: async () => undefined }),
});

describe('whoami', () => {
  it('says who one is, and what one may do where', async () => {
    expect(await vnet(['whoami'])).toMatchObject({
      code: 0, err: '',
      out: `Identity:       alice (uid 1000)
Known by:       unix
Connection:     7, by unix from local
Groups:         alice, vnet

 On             May
------------------------------------------------------------
 lab-*, x       connect:getattr, network:start,stop, admin
 all networks   network:read

`,
    });
  });

  it('does not greet: it is for those, too, who may not', async () => {
    const greeted: unknown[] = [];
    await runVnet(['whoami'], { connect: async (uri, options) => { greeted.push(options.silent); return { driver: {} as never, uri, admin: async () => admin, close: async () => undefined }; } });
    expect(greeted).toEqual([true]);
  });

  it('says so of one who may do nothing', async () => {
    expect((await vnet(['whoami'], { whoAmI: async () => ({ client, identity: client.identity, rights: [] }) })).out).toContain('It may do nothing: an entry in /etc/vnet/access.toml on the host is missing.\n');
  });

  it('is a record for programs', async () => {
    expect(JSON.parse((await vnet(['whoami', '-o', 'json'])).out)).toEqual([{
      id: 7, listener: 'unix', readonly: false, peer: 'local', since: '2026-01-02T03:04:05.000Z', identity: 'alice (uid 1000)', kind: 'unix', uid: 1000, user: 'alice',
      groups: ['alice', 'vnet'], pid: 12, subject: null, alternativeNames: null, fingerprint: null, token: null, inFlight: 1,
      rights: [{ permissions: ['connect:getattr', 'network:start', 'network:stop', 'admin'], networks: ['lab-*', 'x'] }, { permissions: ['network:read'], networks: null }],
    }]);
  });

  it('has nobody to ask where no daemon is between', async () => {
    expect(await runVnet(['whoami'], { driver: {} })).toMatchObject({ code: 1, err: expect.stringContaining('there is no daemon between') });
  });
});

describe('admin', () => {
  it('lists who is connected, and lets nobody act on the terminal', async () => {
    const { code, out } = await vnet(['admin', 'clients']);
    expect({ code, out }).toEqual({ code: 0, out: ` Id   Transport   From             Identity           Connected since            Calls
----------------------------------------------------------------------------------------
 7    unix        local            alice (uid 1000)   2026-01-02T03:04:05.000Z   1
 8    tls         198.51.100.7:4   CN=\\x1b]0;eve      2026-01-02T03:04:05.000Z   0

` });
    expect((await vnet(['admin', 'clients', '-o', 'json'])).out).toContain('"subject": "CN=\\u001b]0;eve"');
  });

  it('ends a connection, and sets and shows the log level, the options anywhere', async () => {
    asked.length = 0;
    expect(await vnet(['admin', '-q', 'disconnect', '8'])).toMatchObject({ code: 0, out: '' });
    expect(await vnet(['-c', 'vnet:///system', 'admin', 'log-level', '--level', 'debug'])).toMatchObject({ code: 0, out: 'Log level is debug, and was info\n\n' });
    expect(await vnet(['admin', 'log-level'])).toMatchObject({ code: 0, out: 'info\n\n' });
    expect(asked).toEqual([{ id: 8 }, { level: 'debug' }]);
  });

  it.each([
    [['admin'], "error: command 'admin' needs another word\nhint: it can be vnet admin clients, vnet admin disconnect, vnet admin log-level\n"],
    [['admin', 'client'], "error: unknown command: 'admin client'\nhint: did you mean 'clients'?\n"],
    [['admin', 'disconnect'], "error: command 'admin disconnect' requires <id> option\nhint: vnet help admin disconnect\n"],
    [['admin', 'disconnect', '1', '2'], "error: unexpected data '2'\nhint: vnet help admin disconnect\n"],
    [['admin', 'disconnect', 'x'], "error: 'x' is no client's id\nhint: vnet admin clients lists them\n"],
    [['clients'], "error: unknown command: 'clients'\nhint: vnet --help lists the commands\n"],
  ])('%j is no command', async (argv, err) => {
    expect(await vnet(argv)).toMatchObject({ code: 2, err });
  });

  it('says what it was refused for', async () => {
    const refuse = async () => { throw new NetworkError(ErrorCode.ACCESS_DENIED, 'ListClients', { hint: 'it needs admin' }); };
    expect(await vnet(['admin', 'clients'], { listClients: refuse })).toMatchObject({ code: 5, err: 'error: Failed to list clients\nerror: access denied: ListClients\nhint: it needs admin\n' });
  });
});
