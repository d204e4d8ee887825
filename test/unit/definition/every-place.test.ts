/**
 * Whatever place of whatever document holds hostile text (a network's, a part's
 * in an update, a port's): it is refused, or what comes of it for the host has
 * the lines that it has without.
 */
import { describe, expect, it } from 'vitest';
import { renderConf } from '../../../server/host/dnsmasq/conf.js';
import { renderHosts, renderNames } from '../../../server/host/dnsmasq/hosts.js';
import { renderNetwork } from '../../../server/host/firewall/nftables-rules.js';
import { renderAddresses, renderBridge } from '../../../server/host/link.js';
import { NetworkError } from '../../../shared/errors.js';
import { applyUpdate, parseNetwork, parseNetworkPort, updateCommands, updateSections, type NetworkDefinition } from '../../../shared/definition/index.js';
import { portSamples } from './port-samples.js';
import { samples } from './samples.js';
import { updated, updateSamples } from './update-samples.js';

/** As a document writes it, and literally. */
const payloads = ['&#10;dhcp-script=/evil', '&#13;x', '&#0;', '\0', '&#x85;x', '&#x2028;dhcp-script=/evil', '&#9;x', '\u2028x', ' #x', ',dhcp-script=/evil', '/../x', '\\', '%n', ';x', '&quot; ; flush ruleset'];

/** A document with a payload at the end of each of its attributes and texts in turn. */
function* spoilt(xml: string, payload: string): Generator<string> {
  for (const place of xml.matchAll(/='[^']+(?=')|="[^"]+(?=")|>[^<>]*[^<>\s](?=<\/)/g)) {
    const end = place.index + place[0].length;
    yield xml.slice(0, end) + payload + xml.slice(end);
  }
}

/** What it gives; undefined if it is refused. */
function unlessRefused<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof NetworkError) return undefined;
    throw error;
  }
}

/** Everything that other programs would read, line by line. */
function linesFor(definition: NetworkDefinition): string[] {
  const plan = { uuid: '1d0c7a52-9a7b-4a55-8a31-0000000000ee', name: definition.name, bridge: definition.bridge?.name ?? 'virbr0', definition };
  const files = { conf: '/v/c', hosts: '/v/h', names: '/v/n', leases: '/v/l', pid: '/r/p', servers: '/v/s' };
  return [renderConf(plan, files, { user: 'nobody' }), renderHosts(plan), renderNames(plan), renderBridge(plan), renderAddresses(plan), renderNetwork(plan)].join('').split(/[\n\r\u0085\u2028\u2029]/);
}

/** A line without what a document could have said in it. */
const kind = (line: string) => /^[a-z0-9-]*/.exec(line)![0];

/** No line more than without the payload, or of another kind; nothing that ends a line anywhere in the definition, but in a description. */
function expectHarmless(clean: NetworkDefinition, definition: NetworkDefinition, xml: string): void {
  const before = unlessRefused(() => linesFor(clean));
  const after = unlessRefused(() => linesFor(definition));
  if (before !== undefined && after !== undefined) expect({ xml, kinds: after.map(kind) }).toEqual({ xml, kinds: before.map(kind) });
  const { description: _, metadata: __, ...words } = definition;
  expect({ xml, text: JSON.stringify(words) }).toEqual({ xml, text: expect.not.stringMatching(/\\[nrt]|\\u00|[\u0085\u2028\u2029]/) });
}

describe('hostile text', () => {
  it('T1: in any place of any network is refused, or is text', () => {
    let [accepted, refused] = [0, 0];
    for (const { xml } of samples) {
      const clean = unlessRefused(() => parseNetwork(xml).definition);
      if (clean === undefined || xml.includes('<metadata>')) continue;
      for (const payload of payloads) {
        for (const document of spoilt(xml, payload)) {
          const definition = unlessRefused(() => parseNetwork(document).definition);
          if (definition === undefined) refused += 1;
          else {
            accepted += 1;
            expectHarmless(clean, definition, document);
          }
        }
      }
    }
    expect(refused).toBeGreaterThan(10_000);
    expect(accepted).toBeGreaterThan(100);
  }, 120_000);

  it('T1: in any place of any update is refused, or is text', () => {
    let refused = 0;
    for (const { to, command, section, index, xml } of updateSamples) {
      const before = parseNetwork(updated[to]).definition;
      const words = { command: updateCommands[command], section: updateSections[section], ...(index === undefined ? {} : { parentIndex: index }) };
      const apply = (part: string) => unlessRefused(() => applyUpdate(before, { ...words, xml: part }));
      const clean = apply(xml);
      if (clean === undefined) continue;
      for (const payload of payloads) {
        for (const part of spoilt(xml, payload)) {
          const after = apply(part);
          if (after === undefined) refused += 1;
          else expectHarmless(clean, after, part);
        }
      }
    }
    expect(refused).toBeGreaterThan(1000);
  }, 120_000);

  it('T1: in any place of any port is refused, or is text', () => {
    let refused = 0;
    for (const { xml } of portSamples) {
      for (const payload of payloads) {
        for (const document of spoilt(xml, payload)) {
          const port = unlessRefused(() => parseNetworkPort(document));
          if (port === undefined) refused += 1;
          else expect({ document, text: JSON.stringify(port) }).toEqual({ document, text: expect.not.stringMatching(/\\[nr]|[\u0085\u2028\u2029]/) });
        }
      }
    }
    expect(refused).toBeGreaterThan(1000);
  }, 120_000);
});
