/**
 * Lives here: what every NetworkDriver must do with titles, descriptions and
 * foreign elements. Does not know: which driver it is given.
 */
import { expect, it } from 'vitest';
import { ErrorCode } from '../../shared/errors.js';
import type { Network, NetworkDriver, NetworkSetMetadataRequest } from '../../shared/gen/vnet/v1/network_driver.js';
import { refused } from './refused.js';

const [description, title, element] = [1, 2, 3];

/** Registers the tests. The subnet 10.78.200.0/24 is theirs. */
export function describeMetadata(get: () => NetworkDriver): void {
  const define = async (name: string): Promise<Network> =>
    (await get().networkDefineXml({ xml: `<network><name>${name}</name><ip address='10.78.200.1' prefix='24'/></network>`, validate: false })).network!;
  const ask = async (network: Network, type: number, more: { uri?: string; live?: boolean; config?: boolean } = {}) =>
    (await get().networkGetMetadata({ network, type, uri: '', live: false, config: false, ...more })).metadata;
  const set = (network: Network, type: number, metadata: string, more: Partial<NetworkSetMetadataRequest> = {}) =>
    get().networkSetMetadata({ network, type, metadata, key: '', uri: '', live: false, config: false, ...more });
  const absent = (call: Promise<unknown>) => refused(call, ErrorCode.NO_NETWORK_METADATA, /^metadata not found: Requested metadata element is not present$/);

  it('keeps a title, a description and an element for each namespace, and forgets them', async () => {
    const network = await define('conf-meta');
    for (const [type, text] of [[title, 'A <title> & "more"'], [description, 'two\nlines']] as const) {
      await absent(ask(network, type));
      await set(network, type, text);
      expect(await ask(network, type)).toBe(text);
    }
    await set(network, element, "<foo a='1'><bar/><z:q xmlns:z='urn:z'/></foo>", { uri: 'urn:x', key: 'k' });
    await set(network, element, '<other/>', { uri: 'urn:y', key: 'y' });
    expect(await ask(network, element, { uri: 'urn:x' })).toBe('<foo a="1">\n  <bar/>\n  <z:q xmlns:z="urn:z"/>\n</foo>');
    expect((await get().networkDumpXml({ network, inactive: false })).xml).toContain('<k:foo xmlns:k="urn:x" a="1">\n      <k:bar/>\n      <z:q xmlns:z="urn:z"/>\n    </k:foo>');
    await set(network, element, '<new/>', { uri: 'urn:x', key: 'n' });
    expect(await ask(network, element, { uri: 'urn:x' })).toBe('<new/>');
    await set(network, element, '', { uri: 'urn:x' });
    await absent(ask(network, element, { uri: 'urn:x' }));
    expect(await ask(network, element, { uri: 'urn:y' })).toBe('<other/>');
    for (const type of [title, description]) {
      await set(network, type, '');
      await absent(ask(network, type));
    }
    await get().networkUndefine({ network });
    await refused(ask(network, title), ErrorCode.NO_NETWORK, /conf-meta/);
    await refused(set(network, title, 't'), ErrorCode.NO_NETWORK, /conf-meta/);
  });

  it('keeps what is live apart from what is saved', async () => {
    const network = await define('conf-meta-two');
    await refused(set(network, title, 't', { live: true }), ErrorCode.OPERATION_INVALID, /network is not running/);
    await refused(ask(network, title, { live: true }), ErrorCode.OPERATION_INVALID, /network is not running/);
    await set(network, title, 'saved');
    await get().networkCreate({ network });
    expect(await ask(network, title)).toBe('saved');
    await set(network, title, 'live');
    expect([await ask(network, title), await ask(network, title, { live: true }), await ask(network, title, { config: true })]).toEqual(['live', 'live', 'saved']);
    await set(network, title, 'both', { live: true, config: true });
    expect([await ask(network, title, { live: true }), await ask(network, title, { config: true })]).toEqual(['both', 'both']);
    await refused(ask(network, title, { live: true, config: true }), ErrorCode.INVALID_ARG, /mutually exclusive/);
    await get().networkUndefine({ network });
    await refused(set(network, title, 't', { config: true }), ErrorCode.OPERATION_INVALID, /transient/);
    await refused(ask(network, title, { config: true }), ErrorCode.OPERATION_INVALID, /transient/);
    await get().networkDestroy({ network });
  });

  it('refuses what does not fit', async () => {
    const network = await define('conf-meta-bad');
    const { INVALID_ARG, XML_DETAIL, INTERNAL_ERROR } = ErrorCode;
    for (const [type, text, more, code, words] of [
      [0, 't', {}, INVALID_ARG, /unknown metadata type/], [9, 't', {}, INVALID_ARG, /unknown metadata type/],
      [title, 'a\nb', {}, INVALID_ARG, /newlines/], [title, 't', { key: 'k' }, INVALID_ARG, /'key'/], [description, 't', { uri: 'urn:x' }, INVALID_ARG, /'uri'/],
      [element, '<a/>', { key: 'k' }, INVALID_ARG, /'uri'/], [element, '<a/>', { uri: 'urn:x' }, INVALID_ARG, /'key'/],
      [element, '<a', { uri: 'urn:x', key: 'k' }, XML_DETAIL, /line 1/], [element, '<a/>', { uri: 'urn:x', key: '1k' }, INTERNAL_ERROR, /failed to validate prefix/],
    ] as const) await refused(set(network, type, text, more), code, words);
    for (const [type, uri] of [[0, ''], [title, 'urn:x'], [element, '']] as const) await refused(ask(network, type, { uri }), INVALID_ARG, /./);
    expect((await get().networkDumpXml({ network, inactive: false })).xml).not.toMatch(/title|description|metadata/);
    await get().networkUndefine({ network });
  });
}
