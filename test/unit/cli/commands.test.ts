/** The commands: what they print, where, and how they end. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { LeaseType } from '../../../shared/gen/vnet/v1/network_driver.js';
import { documentOf, fakeDriver, fakeNetwork, type FakeDriver } from './fake-driver.js';
import { runVnet, type Scene } from './run-vnet.js';

let driver: FakeDriver;
let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vnet-commands-'));
  file = join(folder, 'lab.xml');
  await writeFile(file, documentOf('lab'));
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(() => {
  driver = fakeDriver(
    fakeNetwork('default', { active: true, autostart: true }),
    fakeNetwork('Beta', { bridge: '', forwardMode: '', addresses: [] }),
    fakeNetwork('alpha', { active: true, persistent: false, bridge: 'virbr2', forwardMode: 'route', addresses: ['10.0.0.1/8', 'fd00::1/64'] }),
  );
});
const vnet = (line: string, scene: Scene = {}) => runVnet(line.split(' '), { driver, ...scene });
const uuidOf = (name: string) => driver.networks.get(name)!.network.uuid;

describe('list', () => {
  it('shows active and inactive networks, sorted without regard to capitals', async () => {
    expect(await vnet('list')).toEqual({
      code: 0, err: '', closed: 1, opened: [{ uri: 'vnet:///system', options: { readonly: false } }],
      out: [
        ' Name      State      Autostart   Persistent   Mode       Bridge   Addresses',
        '-------------------------------------------------------------------------------------------',
        ' alpha     active     no          no           route      virbr2   10.0.0.1/8, fd00::1/64',
        ' Beta      inactive   no          yes          isolated   -        -',
        ' default   active     yes         yes          nat        virbr0   192.168.122.1/24',
        '', '',
      ].join('\n'),
    });
  });

  it('in virsh\'s spelling shows what virsh shows', async () => {
    expect((await vnet('net-list')).out).toBe([
      ' Name      State    Autostart   Persistent',
      '--------------------------------------------',
      ' alpha     active   no          no',
      ' default   active   yes         yes',
      '', '',
    ].join('\n'));
  });

  it.each([
    ['list', ['alpha', 'Beta', 'default']],
    ['list --active', ['alpha', 'default']],
    ['list --inactive', ['Beta']],
    ['list --active --inactive', ['alpha', 'Beta', 'default']],
    ['net-list', ['alpha', 'default']],
    ['net-list --all', ['alpha', 'Beta', 'default']],
    ['net-list --all --inactive', ['alpha', 'Beta', 'default']],
    ['net-list --inactive', ['Beta']],
    ['net-list --all --persistent', ['Beta', 'default']],
    ['net-list --all --transient', ['alpha']],
    ['net-list --all --persistent --transient', ['alpha', 'Beta', 'default']],
    ['net-list --autostart', ['default']],
    ['net-list --no-autostart', ['alpha']],
  ])('%s lists %j', async (line, names) => {
    expect((await vnet(`${line} --name`)).out).toBe([...names, '', ''].join('\n'));
    expect((await vnet(`${line} -o name`)).out).toBe(names.map((name) => `${name}\n`).join(''));
    expect((await vnet(`${line} --uuid`)).out).toBe([...names.map(uuidOf), '', ''].join('\n'));
  });

  it('is only rows when quiet', async () => {
    expect((await vnet('-q net-list --inactive')).out).toBe(' Beta   inactive   no   yes\n');
  });

  it('takes one form at a time', async () => {
    expect(await vnet('net-list --uuid --name')).toMatchObject({ code: 2, out: '\n', err: 'error: Only one argument from --table, --name and --uuid may be specified.\n' });
  });

  it('drops columns on a narrow terminal', async () => {
    const { out } = await vnet('list', { terminal: 60 });
    expect(out.split('\n')[0]).toBe(' Name      State      Autostart   Persistent   Mode');
  });

  it('as JSON and YAML gives documented records', async () => {
    const beta = { name: 'Beta', uuid: uuidOf('Beta'), active: false, persistent: true, autostart: false, bridge: null, mode: 'isolated', addresses: [] };
    const text = (await vnet('list --inactive -o json')).out;
    expect(text).toBe(`${JSON.stringify([beta], null, 2)}\n`);
    expect(parseYaml((await vnet('list --inactive -o yaml')).out)).toEqual([beta]);
    driver.networks.clear();
    expect((await vnet('list -o json')).out).toBe('[]\n');
  });

  it('T25: escapes what a name does to a terminal', async () => {
    driver.networks.set('x', fakeNetwork('\x1b]0;gotcha\x07\n\u202e', { bridge: '\u202e2J', addresses: ['\u009b1m'] }));
    for (const line of ['list', 'list --name', 'list -o name', 'list -o json', 'list -o yaml', 'net-list --all']) {
      const { out } = await vnet(line);
      expect(out).toContain('gotcha');
      expect(out).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
      if (line.endsWith('json')) expect(JSON.parse(out)).toContainEqual(expect.objectContaining({ name: '\x1b]0;gotcha\x07\n\u202e', bridge: '\u202e2J', addresses: ['\u009b1m'] }));
      if (line.endsWith('yaml')) expect(parseYaml(out)).toContainEqual(expect.objectContaining({ name: '\x1b]0;gotcha\x07\n\u202e', bridge: '\u202e2J', addresses: ['\u009b1m'] }));
    }
  });
});

describe('one network', () => {
  it('info shows it as virsh does, by name and by UUID, without a bridge if it has none', async () => {
    const fields = (name: string, ...rest: string[]) => [`Name:           ${name}`, `UUID:           ${uuidOf(name)}`, ...rest, '', ''].join('\n');
    const expected = fields('default', 'Active:         yes', 'Persistent:     yes', 'Autostart:      yes', 'Bridge:         virbr0');
    expect((await vnet('net-info default')).out).toBe(expected);
    expect((await vnet(`info ${uuidOf('default').toUpperCase()}`)).out).toBe(expected);
    expect((await vnet('info Beta')).out).toBe(fields('Beta', 'Active:         no', 'Persistent:     yes', 'Autostart:      no'));
    expect(JSON.parse((await vnet('info Beta -o json')).out)).toEqual(JSON.parse((await vnet('list --inactive -o json')).out));
  });

  it('name and uuid print one line', async () => {
    expect((await vnet(`net-name ${uuidOf('default')}`)).out).toBe('default\n\n');
    expect((await vnet('net-uuid default')).out).toBe(`${uuidOf('default')}\n\n`);
    expect((await vnet('-q net-uuid default')).out).toBe(`${uuidOf('default')}\n`);
  });

  it('dumpxml prints its XML, live or saved', async () => {
    expect((await vnet('net-dumpxml --inactive default')).out).toBe(`${documentOf('default')}\n`);
    expect((await vnet('dumpxml default')).out).toContain('<!--live-->');
    driver.networks.get('default')!.xml = '<title>\u009b</title>\n';
    expect((await vnet('dumpxml default --inactive -q')).out).toBe('<title>\u009b</title>\n');
    expect((await vnet('dumpxml default --inactive -q', { terminal: 80 })).out).toBe('<title>&#x9b;</title>\n');
  });

  it('that is not there gets a guess', async () => {
    expect(await vnet('net-start defualt')).toMatchObject({
      code: 3, out: '\n',
      err: "error: failed to get network 'defualt'\nerror: Network not found: no network with matching name 'defualt'\nhint: did you mean 'default'?\n",
    });
    const { err } = await vnet('info 00000000-1111-2222-3333-444444444444');
    expect(err).toContain("no network with matching name '00000000-1111-2222-3333-444444444444'");
  });
});

describe('a move', () => {
  it.each([
    ['net-start Beta', 'Network Beta started\n\n', () => driver.networks.get('Beta')!.active],
    ['net-destroy default', 'Network default destroyed\n\n', () => !driver.networks.get('default')!.active],
    ['stop default', 'Network default destroyed\n\n', () => !driver.networks.get('default')!.active],
    ['net-undefine Beta', 'Network Beta has been undefined\n\n', () => !driver.networks.has('Beta')],
    ['net-autostart Beta', 'Network Beta marked as autostarted\n\n', () => driver.networks.get('Beta')!.autostart],
    ['net-autostart default --disable', 'Network default unmarked as autostarted\n\n', () => !driver.networks.get('default')!.autostart],
    ['-q start Beta', '', () => driver.networks.get('Beta')!.active],
  ])('%s', async (line, out, moved) => {
    expect(moved()).toBe(false);
    expect(await vnet(line)).toMatchObject({ code: 0, out, err: '', closed: 1 });
    expect(moved()).toBe(true);
  });

  it('of a network with a hostile name says so in one harmless line', async () => {
    const hostile = fakeNetwork('x\x1b[2J\nNetwork y started');
    driver.networks.set(hostile.network.name, hostile);
    expect((await vnet(`start ${hostile.network.uuid}`)).out).toBe('Network x\\x1b[2J\\x0aNetwork y started started\n\n');
    expect((await vnet(`start ${hostile.network.uuid}`)).err).toMatch(/^error: Failed to start network x\\x1b\[2J\n  Network y started\nerror: /);
  });

  it('that is refused says what failed and why', async () => {
    expect(await vnet('net-start default')).toMatchObject({
      code: 4, out: '\n', err: 'error: Failed to start network default\nerror: Requested operation is not valid: network is already active\n',
    });
  });

  it('of several networks does what it can, in the order given, and says that it is not all', async () => {
    expect(await vnet('start nope Beta default')).toMatchObject({
      code: 7, out: 'Network Beta started\n\n',
      err: expect.stringMatching(/^error: failed to get network 'nope'\nerror: Network not found: .*\nerror: Failed to start network default\nerror: .*already active\n$/),
    });
  });

  it('that fails for all of them for one reason ends with that reason', async () => {
    expect((await vnet('start default alpha')).code).toBe(4);
    expect((await vnet('start default nope')).code).toBe(7);
  });

  it('as JSON gives what was done, and errors line by line', async () => {
    const { code, out, err } = await vnet('start Beta default -o json');
    expect(code).toBe(7);
    expect(JSON.parse(out)).toEqual([{ name: 'Beta', uuid: uuidOf('Beta'), result: 'started' }]);
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'OPERATION_INVALID', field: null, problems: [] } });
    expect(await vnet('start default -o json')).toMatchObject({ out: '', err: expect.stringContaining('OPERATION_INVALID') });
  });
});

describe('a document', () => {
  it('is defined from a file and from standard input', async () => {
    expect(await vnet(`net-define ${file}`)).toMatchObject({ code: 0, out: `Network lab defined from ${file}\n\n`, err: '' });
    expect(driver.networks.get('lab')).toMatchObject({ persistent: true, active: false });
    expect(await vnet('create -', { stdin: documentOf('other') })).toMatchObject({ code: 0, out: 'Network other created from stdin\n\n' });
    expect(driver.networks.get('other')).toMatchObject({ persistent: false, active: true });
    expect((await vnet(`define ${file} -o uuid`)).out).toBe(`${uuidOf('lab')}\n`);
  });

  it.each([['define', 'networkDefineXml'], ['net-create', 'networkCreateXml']] as const)('is read by %s as strictly as asked', async (verb, method) => {
    const asked: boolean[] = [];
    const { [method]: original } = driver;
    Object.assign(driver, { [method]: async (request: { xml: string; validate: boolean }) => {
      asked.push(request.validate);
      return original(request);
    } });
    await vnet(`${verb} ${file}`);
    await vnet(`${verb} ${file} --validate`);
    expect(asked).toEqual([false, true]);
  });

  it('gets its warnings on standard error', async () => {
    driver.warnings.push('element <foo> is left out\x07');
    expect(await vnet(`define ${file}`)).toMatchObject({ code: 0, err: 'warning: element <foo> is left out\\x07\n' });
  });

  it('that is refused gets its problems', async () => {
    expect(await vnet('net-define -', { stdin: '<network>' })).toMatchObject({
      code: 2, out: '\n',
      err: 'error: Failed to define network from stdin\nstdin:2:3: network/name: a network needs a name\nstdin:3:3: network/name: not this one\n',
    });
  });

  it('that cannot be read is an error in virsh\'s words', async () => {
    expect(await vnet('define /nonexistent/x.xml')).toMatchObject({ code: 2, err: "error: Failed to open file '/nonexistent/x.xml': No such file or directory\n" });
    expect(await vnet(`define ${folder}`)).toMatchObject({ code: 2, err: `error: Failed to read file '${folder}': Is a directory\n` });
  });
});

describe('leases', () => {
  const lease = { interface: 'virbr0', type: LeaseType.IPV4, iaid: '', prefix: 24, clientId: '', hostname: '' };
  const expiryTime = 1_795_474_642;
  beforeEach(() => {
    process.env['TZ'] = 'Europe/Berlin';
    driver.networks.get('default')!.leases = [
      { ...lease, expiryTime, mac: '52:54:00:00:00:02', ipAddress: '192.168.122.3', hostname: 'evil\x1b[1m', clientId: '01:52:54' },
      { ...lease, expiryTime: 0, mac: '52:54:00:00:00:01', ipAddress: '192.168.122.9' },
    ];
  });

  it('are a table as virsh\'s, by MAC address', async () => {
    expect((await vnet('net-dhcp-leases default')).out).toBe([
      ' Expiry Time           MAC address         Protocol   IP address         Hostname      Client ID or DUID',
      '----------------------------------------------------------------------------------------------------------',
      ' never                 52:54:00:00:00:01   ipv4       192.168.122.9/24   -             -',
      ' 2026-11-23 23:57:22   52:54:00:00:00:02   ipv4       192.168.122.3/24   evil\\x1b[1m   01:52:54',
      '', '',
    ].join('\n'));
    expect((await vnet('leases default')).out).toContain(' 2026-11-23 23:57:22 +0100   52:54:00:00:00:02');
  });

  it('of one MAC address, and none of a stopped network', async () => {
    expect((await vnet('-q net-dhcp-leases default --mac 52:54:00:00:00:01')).out.trim().split('\n')).toHaveLength(1);
    expect(await vnet('-q leases Beta')).toMatchObject({ code: 0, out: '' });
  });

  it('as JSON have times in UTC', async () => {
    expect(JSON.parse((await vnet('leases default -o json')).out)).toEqual([
      { expires: null, mac: '52:54:00:00:00:01', family: 'ipv4', address: '192.168.122.9', prefix: 24, hostname: null, clientId: null, iaid: null, interface: 'virbr0' },
      { expires: '2026-11-23T22:57:22.000Z', mac: '52:54:00:00:00:02', family: 'ipv4', address: '192.168.122.3', prefix: 24, hostname: 'evil\x1b[1m', clientId: '01:52:54', iaid: null, interface: 'virbr0' },
    ]);
  });
});

describe('the connection', () => {
  it.each([
    ['-c test:///a uri', { VNET_URI: 'test:///b' }, 'test:///a'],
    ['uri', { VNET_URI: 'test:///b' }, 'test:///b'],
    ['uri', { VNET_URI: '' }, 'vnet:///system'],
  ])('%s with %j goes to %s', async (line, env, uri) => {
    expect(await vnet(line, { env })).toMatchObject({ out: `${uri}\n\n`, opened: [{ uri }], closed: 1 });
  });

  it('is read-only and impatient if asked', async () => {
    expect((await vnet('-r list --timeout 2.5')).opened[0]?.options).toEqual({ readonly: true, timeoutMs: 2500 });
    expect(await vnet('list --timeout soon')).toMatchObject({ code: 2, err: "error: --timeout must be a number of seconds, not 'soon'\n", opened: [] });
  });

  it('that fails says where and why, and reminds of the right variable', async () => {
    const refusal = new NetworkError(ErrorCode.RPC, 'Failed to connect socket', { hint: 'start vnetd' });
    expect(await vnet('net-list', { refusal, env: { LIBVIRT_DEFAULT_URI: 'qemu:///system' } })).toMatchObject({
      code: 6, out: '',
      err: 'error: failed to connect to vnet:///system\nerror: Failed to connect socket\nhint: start vnetd\nhint: LIBVIRT_DEFAULT_URI is for virsh; vnet reads VNET_URI\n',
    });
    expect((await vnet('start a b c', { refusal })).err.match(/failed to connect/g)).toHaveLength(1);
  });

  it('tells the daemon\'s version', async () => {
    expect((await vnet('version')).out).toMatch(/^vnet \d+\.\d+\.\d+\nvnetd 9\.8\.7, test driver on here, vnet:\/\/\/system\n\n$/);
    expect(JSON.parse((await vnet('version -o json')).out)).toEqual([expect.objectContaining({ daemon: '9.8.7', hostname: 'here' })]);
    expect((await vnet('-V')).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('is closed, and the code is 130, when it is interrupted', async () => {
    const interrupt = new AbortController();
    driver.listAllNetworks = () => {
      interrupt.abort();
      return new Promise(() => undefined);
    };
    expect(await vnet('list', { interrupted: interrupt.signal })).toMatchObject({ code: 130, err: 'error: interrupted\n', closed: 1 });
  });
});

it('a connection that comes after Ctrl-C is closed at once', async () => {
  const interrupt = new AbortController();
  let closed = 0;
  let arrive = () => {};
  const connect = async (uri: string) => {
    interrupt.abort();
    await new Promise<void>((resolve) => { arrive = resolve; });
    return { uri, driver, close: async () => { closed++; } };
  };
  expect((await vnet('list', { connect, interrupted: interrupt.signal })).code).toBe(130);
  expect(closed).toBe(0);
  arrive();
  await expect.poll(() => closed).toBe(1);
});

it('a bug in a driver is an error, not a crash', async () => {
  driver.listAllNetworks = () => { throw new TypeError('oops'); };
  expect(await vnet('list')).toMatchObject({ code: 1, err: 'error: Failed to list networks\nerror: internal error: oops\n' });
});

it('a command that has no output as asked says what it has', async () => {
  expect(await vnet('leases default -o name')).toMatchObject({ code: 2, err: "error: command 'leases' has no output as name\nhint: it has json, yaml\n" });
});
