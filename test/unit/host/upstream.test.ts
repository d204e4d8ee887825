/** From resolv.conf to the servers that dnsmasq asks. */
import { describe, expect, it } from 'vitest';
import { parseResolvConf, renderServers } from '../../../server/host/dnsmasq/upstream.js';

describe('upstream name servers', () => {
  it('are the nameserver lines, in their order', () => {
    expect(parseResolvConf(`# Generated
search lab.test
nameserver 192.0.2.1
nameserver\t2001:db8::1 # office
 nameserver 192.0.2.9
options edns0
nameserver fe80::1%eth0
nameserver 192.0.2.2;
nameserver not-an-address
nameserver 192.0.2.3`)).toEqual(['192.0.2.1', '2001:db8::1', 'fe80::1%eth0', '192.0.2.3']);
  });

  it('are written once each', () => {
    expect(renderServers(['192.0.2.1', '2001:db8::1', '192.0.2.1'])).toBe('server=192.0.2.1\nserver=2001:db8::1\n');
    expect(renderServers([])).toBe('');
  });
});
