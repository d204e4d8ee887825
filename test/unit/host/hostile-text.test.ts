/** Texts that would be more than a text: whatever came through the parser, nothing of them gets out as a line, an option or a rule. */
import { describe, expect, it } from 'vitest';
import type { NetworkPlan } from '../../../server/driver/host.js';
import { renderConf, type DnsmasqFiles } from '../../../server/host/dnsmasq/conf.js';
import { rawOption } from '../../../server/host/dnsmasq/conf-line.js';
import { renderHosts, renderNames } from '../../../server/host/dnsmasq/hosts.js';
import { renderNetwork } from '../../../server/host/firewall/nftables-rules.js';
import { renderAddresses, renderBridge } from '../../../server/host/link.js';
import { fileStem, safeInterface } from '../../../server/host/safe-text.js';
import { parseNetwork, type NetworkDefinition } from '../../../shared/definition/index.js';
import { ErrorCode } from '../../../shared/errors.js';

const document = `<network>
  <name>victim</name><uuid>1d0c7a52-9a7b-4a55-8a31-0000000000ee</uuid>
  <forward mode='nat' dev='eth0'><nat><address start='10.0.0.1' end='10.0.0.2'/></nat></forward>
  <bridge name='virbr0'/><mac address='52:54:00:00:00:01'/><domain name='lab.test' localOnly='yes'/>
  <dns>
    <forwarder domain='corp.test' addr='10.9.9.9'/><txt name='t.test' value='v'/>
    <srv service='sip' protocol='tcp' domain='d.test' target='t.test' port='1'/><host ip='10.1.1.7'><hostname>h</hostname></host>
  </dns>
  <ip address='10.1.1.1' prefix='24'><tftp root='/t'/><dhcp>
    <range start='10.1.1.2' end='10.1.1.9'/><host mac='52:54:00:00:00:02' name='n' ip='10.1.1.3'/><bootp file='f' server='10.1.1.4'/>
  </dhcp></ip>
  <ip family='ipv6' address='fd00::1' prefix='64'><dhcp><host id='0:1' name='six' ip='fd00::2'/></dhcp></ip>
  <route address='10.2.0.0' prefix='16' gateway='10.1.1.9'/>
</network>`;

/** Every text of the definition that reaches the host, and how to put another in its place. */
const fields: Record<string, (definition: NetworkDefinition, text: string) => void> = {
  name: (d, text) => { d.name = text; },
  'bridge/@name': (d, text) => { d.bridge!.name = text; },
  'mac/@address': (d, text) => { d.mac = text; },
  'domain/@name': (d, text) => { d.domain!.name = text; },
  'forward/@dev': (d, text) => { d.forward!.dev = text; },
  'nat/address/@start': (d, text) => { d.forward!.nat!.address!.start = text; },
  'forwarder/@domain': (d, text) => { d.dns!.forwarders[0]!.domain = text; },
  'forwarder/@addr': (d, text) => { d.dns!.forwarders[0]!.address = text; },
  'txt/@name': (d, text) => { d.dns!.txts[0]!.name = text; },
  'txt/@value': (d, text) => { d.dns!.txts[0]!.value = text; },
  'srv/@service': (d, text) => { d.dns!.srvs[0]!.service = text; },
  'srv/@protocol': (d, text) => { d.dns!.srvs[0]!.protocol = text; },
  'srv/@domain': (d, text) => { d.dns!.srvs[0]!.domain = text; },
  'srv/@target': (d, text) => { d.dns!.srvs[0]!.target = text; },
  'dns/host/@ip': (d, text) => { d.dns!.hosts[0]!.ip = text; },
  'dns/host/hostname': (d, text) => { d.dns!.hosts[0]!.hostnames = [text]; },
  'tftp/@root': (d, text) => { d.ips[0]!.tftpRoot = text; },
  'ip/@address': (d, text) => { d.ips[0]!.address = text; },
  'range/@start': (d, text) => { d.ips[0]!.dhcp!.ranges[0]!.start = text; },
  'dhcp/host/@mac': (d, text) => { d.ips[0]!.dhcp!.hosts[0]!.mac = text; },
  'dhcp/host/@name': (d, text) => { d.ips[0]!.dhcp!.hosts[0]!.name = text; },
  'dhcp/host/@ip': (d, text) => { d.ips[0]!.dhcp!.hosts[0]!.ip = text; },
  'dhcp/host/@id': (d, text) => { d.ips[1]!.dhcp!.hosts[0]!.id = text; },
  'bootp/@file': (d, text) => { d.ips[0]!.dhcp!.bootp!.file = text; },
  'bootp/@server': (d, text) => { d.ips[0]!.dhcp!.bootp!.server = text; },
  'route/@gateway': (d, text) => { d.routes[0]!.gateway = text; },
  'dnsmasq:option/@value': (d, text) => { d.dnsmasqOptions = [text]; },
};

/** What breaks out of a line in one tool or another. */
const lineBreaks = ['x\ndhcp-script=/evil', 'x\r\ndhcp-script=/evil', 'x\u0000y', 'x\u2028dhcp-script=/evil', 'x\u0085y', '\nx'];
const wordBreaks = ['a,b', 'a b', 'a"b', 'a#b', 'a/../b', 'a\\b', "a'b", 'a;b', 'a`b', '', 'a|b', 'a/b'];

/** The fields that take any text of one line: quoted where there are words to break. */
const anyLine = new Set(['name', 'txt/@value', 'tftp/@root', 'bootp/@file']);
/** The fields whose own form has some of these. */
const allowed = new Set(['srv/@service a/b', 'srv/@service a/../b', 'srv/@protocol a/b', 'srv/@protocol a/../b']);

const files: DnsmasqFiles = { conf: '/v/c', hosts: '/v/h', names: '/v/n', leases: '/v/l', pid: '/r/p', servers: '/v/s' };

function renderAll(change: (definition: NetworkDefinition) => void): { lines: number; conf: string } {
  const { definition } = parseNetwork(document);
  change(definition);
  const plan: NetworkPlan = { uuid: definition.uuid!, name: definition.name, bridge: definition.bridge!.name!, definition };
  const conf = renderConf(plan, files, { user: 'nobody' });
  const text = [conf, renderHosts(plan), renderNames(plan), renderBridge(plan), renderAddresses(plan), renderNetwork(plan)].join('');
  return { lines: text.split(/[\n\r\u2028\u2029\u0085]/).length, conf };
}

describe('a hostile text', () => {
  const { lines } = renderAll(() => undefined);

  for (const [field, put] of Object.entries(fields)) {
    it(`T1, T3, T4: does not get out of ${field}`, () => {
      for (const payload of lineBreaks) expect(() => renderAll((definition) => put(definition, payload)), JSON.stringify(payload)).toThrow();
      for (const payload of wordBreaks) {
        const rendering = () => renderAll((definition) => put(definition, payload));
        if (anyLine.has(field) || allowed.has(`${field} ${payload}`)) expect(rendering().lines, payload).toBe(lines);
        else expect(rendering, payload).toThrow();
      }
    });
  }

  it('T3: is no interface if it names one of the folders beside those of interfaces, or every interface', () => {
    for (const name of ['all', 'default', '.', '..', '-x', '--help', 'a'.repeat(16), 'eth*', 'br+', '%s', 'a:1', 'a@b', '$(id)', '`id`', 'a|b', 'a&b', 'a>b', '']) {
      expect(() => safeInterface(name), name).toThrow();
      expect(() => renderAll((definition) => { definition.bridge!.name = name; }), name).toThrow();
      if (name !== '') expect(() => renderAll((definition) => { definition.forward!.dev = name; }), name).toThrow();
    }
  });

  it('T4: stands in quotes in every rule, so that no word of nft is more than a name', () => {
    const words = ['fwd', 'dup', 'accept', 'drop', 'return', 'jump', 'flush', 'ruleset', 'table', 'chain', 'map', 'inet', 'ip', 'meta', 'ct', 'hook', 'type', 'policy', 'comment', 'masquerade', 'snat', 'reject', 'vmap', 'include', 'define', '0', '1-2'];
    const rulesFor = (bridge: string, dev: string) => {
      const { definition } = parseNetwork(document);
      definition.forward!.dev = dev;
      return renderNetwork({ uuid: definition.uuid!, name: 'flush ruleset', bridge, definition });
    };
    const bare = (rules: string) => rules.replace(/"[^"]*"/g, '""');
    for (const word of words) {
      expect(bare(rulesFor(word, word)), word).toBe(bare(rulesFor('virbr0', 'eth0')));
      expect(rulesFor(word, word)).toContain(`"${word}"`);
    }
  });

  it('T1: is quoted where any text may stand, so that it is one value', () => {
    expect(renderAll((d) => { d.dns!.txts[0]!.value = 'a, "b" \\ #c'; }).conf).toContain('\ntxt-record=t.test,"a, \\"b\\" \\\\ #c"\n');
  });

  it('T2: makes no file name that leaves the folder or is another network\'s', () => {
    const uuid = '1d0c7a52-9a7b-4a55-8a31-0000000000ee';
    const names = ['a', 'A', 'a/b', '..', '%2f', 'a%2fb', 'ä', 'a b', '-x', 'x'.repeat(300)];
    const stems = names.map((name) => fileStem({ name, uuid }));
    expect(new Set(stems).size).toBe(names.length);
    for (const stem of stems) expect(stem).toMatch(/^[A-Za-z0-9_.%=-]{1,200}$/);
  });
});

describe('an option for dnsmasq, word for word', () => {
  it('T6: passes if it is one option', () => {
    for (const line of ['no-ping', 'dhcp-option=option:ntp-server,10.1.1.1', ' cname = a.test,b.test', 'address=/x.test/10.1.1.1']) expect(rawOption(line)).toBe(line);
  });

  it('T6: is refused if it runs programs, names files or takes dnsmasq away from the daemon, however it is written', () => {
    for (const line of [
      'dhcp-script=/evil', ' dhcp-script =/evil', 'conf-file=/etc/shadow', 'conf-dir=/etc', 'user=root', 'dhcp-leasefile=/etc/passwd', 'log-facility=/etc/passwd',
      'dh"cp"-script=/evil', 'dhcp\\-script=/evil', '"dhcp-script"=/evil', '# comment', '', 'DHCP-SCRIPT=/evil',
    ]) {
      expect(() => rawOption(line), line).toThrow(expect.objectContaining({ code: ErrorCode.CONFIG_UNSUPPORTED }));
    }
  });
});
