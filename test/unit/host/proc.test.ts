/** What /proc/net says of interfaces and routes, and what of it matters. */
import { describe, expect, it } from 'vitest';
import { parseInterfaces, parseIpv4Routes, parseIpv6Routes } from '../../../server/host/proc.js';

describe('/proc/net', () => {
  it('names the interfaces', () => {
    expect(parseInterfaces(`Inter-|   Receive                  |  Transmit
 face |bytes    packets errs drop fifo|bytes    packets
    lo:       0       0    0    0    0
virbr0: 1 2 3
eth0.100:123 2 3
`)).toEqual(['lo', 'virbr0', 'eth0.100']);
  });

  it('tells IPv4 routes, without default routes and those that lead nowhere', () => {
    expect(parseIpv4Routes(`Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0102A8C0	0003	0	0	0	00000000	0	0	0
virbr0	007AA8C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
eth0	0000000A	0102A8C0	0003	0	0	0	000000FF	0	0	0
eth0	010202AC	00000000	0005	0	0	0	FFFFFFFF	0	0	0
*	0000FEA9	00000000	0201	0	0	0	0000FFFF	0	0	0
`)).toEqual([
      { subnet: '192.168.122.0/24', interface: 'virbr0' }, { subnet: '10.0.0.0/8', interface: 'eth0' }, { subnet: '172.2.2.1/32', interface: 'eth0' },
    ]);
  });

  it('tells IPv6 routes, without those that every interface has', () => {
    const zero = '0'.repeat(32);
    expect(parseIpv6Routes(`fd000000000000000000000000000000 40 ${zero} 00 ${zero} 00000100 00000002 00000000 00000001   virbr0
fd010000000000000000000000000000 30 ${zero} 00 fd000000000000000000000000000005 00000001 00000001 00000000 00000003   virbr0
${zero} 00 ${zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003     eth0
fe800000000000000000000000000000 40 ${zero} 00 ${zero} 00000100 00000001 00000000 00000001     eth0
fd000000000000000000000000000001 80 ${zero} 00 ${zero} 00000000 00000002 00000000 80200001   virbr0
fd000000000000000000000000000000 80 ${zero} 00 ${zero} 00000000 00000002 00000000 80300001   virbr0
ff000000000000000000000000000000 08 ${zero} 00 ${zero} 00000100 00000002 00000000 00000001   virbr0
${zero} 00 ${zero} 00 ${zero} ffffffff 00000001 00000000 00200200       lo
`)).toEqual([{ subnet: 'fd00::/64', interface: 'virbr0' }, { subnet: 'fd01::/48', interface: 'virbr0' }]);
  });
});
