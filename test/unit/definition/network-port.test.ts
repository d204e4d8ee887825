/** A port's document: what it may say, what it is printed as, and how virtual ports merge. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completeVirtualPort, formatNetworkPort, mergeVirtualPorts, parseNetworkPort, type NetworkPortDefinition } from '../../../shared/definition/index.js';
import { ErrorCode, NetworkError } from '../../../shared/errors.js';
import { portDocument, portSamples } from './port-samples.js';

describe('a port\'s document', () => {
  it('has one canonical form', () => {
    const xml = portDocument(`<plug managed="yes" type="hostdev-pci"><address function="0x1" slot="0x10" bus="3"/><driver name="vfio"/></plug>
      <rxfilters trustGuest="no"/><port isolated="yes"/><vlan><tag id="6"/><tag nativeMode="untagged" id="5"/></vlan>
      <bandwidth classID="4"><outbound average="7"/><inbound floor="9"/></bandwidth>
      <virtualport type="openvswitch"><parameters profileid="p" interfaceid="11111111-2222-4333-8444-555555555555"/></virtualport><group>a&amp;b</group>`);
    expect(formatNetworkPort(parseNetworkPort(xml, { strict: true }).definition)).toBe(`<networkport>
  <uuid>5d2e0c3a-7f6b-4b57-9d6e-0c8f6a1e2b01</uuid>
  <owner>
    <name>guest</name>
    <uuid>11111111-2222-4333-8444-555555555555</uuid>
  </owner>
  <group>a&amp;b</group>
  <mac address='52:54:00:12:34:56'/>
  <virtualport type='openvswitch'>
    <parameters interfaceid='11111111-2222-4333-8444-555555555555' profileid='p'/>
  </virtualport>
  <bandwidth classID='4'>
    <inbound floor='9'/>
    <outbound average='7'/>
  </bandwidth>
  <vlan trunk='yes'>
    <tag id='6'/>
    <tag id='5' nativeMode='untagged'/>
  </vlan>
  <port isolated='yes'/>
  <rxfilters trustGuest='no'/>
  <plug type='hostdev-pci' managed='yes'>
    <driver name='vfio'/>
    <address domain='0x0000' bus='0x03' slot='0x10' function='0x1'/>
  </plug>
</networkport>
`);
  });

  it('is read as it is printed, whatever was accepted', () => {
    let accepted = 0;
    for (const { xml } of portSamples) {
      let definition: NetworkPortDefinition;
      try {
        ({ definition } = parseNetworkPort(xml));
      } catch (error) {
        expect(error).toBeInstanceOf(NetworkError);
        continue;
      }
      accepted += 1;
      const printed = formatNetworkPort(definition);
      const again = parseNetworkPort(printed, { strict: true });
      expect([again.warnings, formatNetworkPort(again.definition)]).toEqual([[], printed]);
    }
    expect(accepted).toBeGreaterThan(60);
    expect(accepted).toBeLessThan(portSamples.length - 30);
  });

  it('is told of every problem, with the code of the first that libvirt would see', () => {
    const error = (() => {
      try {
        parseNetworkPort(portDocument("<vlan/><bandwidth><inbound peak='1'/></bandwidth>", { mac: '' }));
      } catch (thrown) {
        return thrown as NetworkError;
      }
      throw new Error('accepted');
    })();
    expect(error.code).toBe(ErrorCode.INTERNAL_ERROR);
    expect(error.problems.map(({ path }) => path).sort()).toEqual(['networkport', 'networkport/bandwidth/inbound', 'networkport/vlan']);
  });

  it('warns of what it does not know, or refuses it if asked to', () => {
    const xml = portDocument('<colour/>');
    expect(parseNetworkPort(xml).warnings).toEqual([expect.stringMatching(/networkport\/colour/)]);
    expect(() => parseNetworkPort(xml, { strict: true })).toThrow(/colour/);
  });
});

describe('virtual ports', () => {
  const id = '11111111-2222-4333-8444-555555555555';
  it('are merged: each may say what the others leave open', () => {
    expect(mergeVirtualPorts(undefined, undefined, undefined)).toBeUndefined();
    expect(mergeVirtualPorts({}, undefined, { type: 'openvswitch' })).toEqual({ type: 'openvswitch' });
    expect(mergeVirtualPorts({ parameters: { interfaceId: id, managerId: 3 } }, { type: 'openvswitch', parameters: { profileId: 'p' } }, { type: 'openvswitch' }))
      .toEqual({ type: 'openvswitch', parameters: { interfaceId: id, profileId: 'p' } });
  });

  it('are refused if two differ, whichever', () => {
    const parts = [{ type: 'openvswitch', parameters: { profileId: 'a' } }, { type: 'openvswitch', parameters: { profileId: 'b' } }, undefined] as const;
    fc.assert(fc.property(fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), (order) => {
      expect(() => mergeVirtualPorts(...order.map((i) => parts[i]))).toThrow(/^XML error: attempt to merge virtualports with mismatched profileids \('[ab]' and '[ab]'\)$/);
    }));
    expect(() => mergeVirtualPorts({ type: '802.1Qbh' }, { type: 'openvswitch' })).toThrow(/mismatched types \(802.1Qbh and openvswitch\)/);
  });

  it('are completed, but not with what only the switch knows', () => {
    expect(completeVirtualPort({ type: 'openvswitch' }, () => id)).toEqual({ type: 'openvswitch', parameters: { interfaceId: id } });
    expect(completeVirtualPort({ type: 'openvswitch', parameters: { interfaceId: 'mine' } }, () => id).parameters).toEqual({ interfaceId: 'mine' });
    expect(() => completeVirtualPort({ type: '802.1Qbh' }, () => id)).toThrow("XML error: missing profileid in <virtualport type='802.1Qbh'>");
  });
});
