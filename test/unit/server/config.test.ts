import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, defaultConfig, loadConfig, parseConfig } from '../../../server/config.js';

const read = (toml: string) => parseConfig(toml, 'vnetd.toml', defaultConfig('/'));

/** What is said of a text that cannot be used. */
function refusal(toml: string): string {
  try {
    read(toml);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

describe('the configuration', () => {
  it('is safe where the file says nothing', () => {
    const config = read('');
    expect(config).toEqual(defaultConfig('/'));
    expect(config.tcp).toMatchObject({ enabled: false, address: '127.0.0.1' });
    expect(config.tls).toMatchObject({ enabled: false, requireClientCertificate: true });
    expect(config.unix.socket).toBe('/run/vnet/vnet.sock');
  });

  it('takes every key', () => {
    const config = read(`driver = "test"
[unix]
socket = "/x/rw.sock"
group = "libvirt"
readonly = false
readonly_socket = "/x/ro.sock"
peer_credentials = "required"
[tcp]
enabled = true
address = "::1"
port = 0
[tls]
enabled = true
address = "0.0.0.0"
port = 1
certificate = "/c"
key = "/k"
ca = "/a"
require_client_certificate = false
crl = "/l"
allowed = ["CN=alice,O=Lab", "DNS:*.lab.example"]
minimum_version = "1.3"
[dnsmasq]
user = "dns"
resolv_conf = "/r"
[log]
level = "debug"
`);
    expect(config).toMatchObject({
      driver: 'test',
      unix: { socket: '/x/rw.sock', group: 'libvirt', readonly: false, readonlySocket: '/x/ro.sock', peerCredentials: 'required' },
      tcp: { enabled: true, address: '::1', port: 0 },
      tls: { enabled: true, address: '0.0.0.0', port: 1, certificate: '/c', key: '/k', ca: '/a', requireClientCertificate: false, crl: '/l', allowed: ['CN=alice,O=Lab', 'DNS:*.lab.example'], minimumVersion: '1.3' },
      dnsmasq: { user: 'dns', resolvConf: '/r' },
      log: { level: 'debug' },
    });
  });

  it('keeps as many earlier revisions as it is told, within bounds', () => {
    expect(defaultConfig('/').history.keep).toBe(10);
    expect(parseConfig('[history]\nkeep = 0\n', 'vnetd.toml', defaultConfig('/')).history.keep).toBe(0);
    for (const wrong of ['-1', '1001', '2.5', '"3"']) expect(() => parseConfig(`[history]\nkeep = ${wrong}\n`, 'vnetd.toml', defaultConfig('/'))).toThrow(/vnetd\.toml:2: history\.keep is .*; it must be a whole number from 0 to 1000/);
  });

  it('refuses unknown keys and tables, each with its line', () => {
    expect(refusal('[tcp]\nenabled = true\nprot = 1\n')).toBe("vnetd.toml:3: unknown key 'tcp.prot'; known here: enabled, address, port");
    expect(refusal('color = 1\n')).toBe("vnetd.toml:1: unknown key 'color'; known here: driver");
    expect(refusal('\n\n[udp]\nx = 1\n')).toBe('vnetd.toml:4: unknown table [udp]; known: unix, tcp, tls, dnsmasq, firewall, history, limits, metrics, log, audit');
    expect(refusal('[udp]\n')).toContain('vnetd.toml:1: unknown table [udp]');
    expect(refusal('tcp.prot = 1\n')).toContain("vnetd.toml:1: unknown key 'tcp.prot'");
    expect(refusal('[toString]\nx = 1')).toContain('unknown table [toString]');
    expect(refusal('[__proto__]\nx = 1')).toContain('vnetd.toml');
  });

  it('refuses wrong values and says all of it at once', () => {
    expect(refusal('driver = "qemu"\n[tcp]\nport = 70000\nenabled = "yes"\n').split('\n')).toEqual([
      'vnetd.toml:1: driver is "qemu"; it must be "host", "test"',
      'vnetd.toml:3: tcp.port is 70000; it must be a port number from 0 (any free one) to 65535',
      'vnetd.toml:4: tcp.enabled is "yes"; it must be true or false',
    ]);
    expect(refusal('[dnsmasq]\nuser = "a\\nconf-script=/x"')).toContain('the name of an account');
    expect(refusal('[tls]\nkey = "relative"')).toContain('an absolute path');
    expect(refusal('[tls]\nallowed = "CN=x"')).toContain('a list of patterns');
    expect(refusal('[tls]\nallowed = ["CN=x", "alice"]')).toContain('of "alice": a subject reads as TYPE=VALUE');
  });

  it('says where a text is no TOML', () => {
    expect(refusal('[tcp]\nport = = 1\n')).toMatch(/^vnetd\.toml:2:\d+: /);
  });

  it('needs no file, unless one is named', async () => {
    const root = await mkdtemp(join(tmpdir(), 'vnet-config-'));
    try {
      expect((await loadConfig(root, undefined)).folders.run).toBe(join(root, 'run/vnet'));
      await expect(loadConfig(root, join(root, 'none.toml'))).rejects.toThrow(/none\.toml/);
      await writeFile(join(root, 'some.toml'), 'driver = "test"');
      expect((await loadConfig(root, join(root, 'some.toml'))).driver).toBe('test');
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
