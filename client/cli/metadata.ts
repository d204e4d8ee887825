/**
 * Lives here: `vnet desc` and `vnet metadata`: what is said of a network. Does
 * not know: what it means.
 */
import { ErrorCode, NetworkError } from '../../shared/errors.js';
import type { Network, Where } from '../network.js';
import type { Call } from './call.js';
import { editText } from './edit.js';
import { escapeText, escapeXml } from './escape.js';
import { attempt, Failure, UsageError } from './failure.js';
import { refuseBoth, whereOf } from './update.js';

/** `vnet desc`: shows or sets a network's description or title. */
export async function runDesc(call: Call): Promise<void> {
  const where = whereOf(call);
  const network = await call.network(call.word('network'));
  const { name, uuid } = network;
  const kind = call.flag('title') ? 'title' : 'description';
  const words = call.words('new-desc');
  const old = words.length > 0 && !call.flag('edit') ? '' : await orNone(() => network[kind](readable(where))) ?? '';
  if (words.length === 0 && !call.flag('edit')) {
    if (old === '') call.announce(`No ${kind} for network: ${name}`, { name, uuid, [kind]: null });
    else call.print(`${escapeText(old)}\n`, { name, uuid, [kind]: old });
    return;
  }
  let text = words.length > 0 ? words.join(' ') : old;
  if (call.flag('edit')) {
    // Editors end a text with a line feed that is not meant.
    text = (await editText(call, text)).trimEnd();
    if (text === old) return call.announce(`Network ${kind} not changed`, { name, uuid, result: 'not changed' });
  }
  await attempt(`Failed to set new network ${kind}`, () => (kind === 'title' ? network.setTitle(text, where) : network.setDescription(text, where)));
  call.announce(`Network ${kind} updated successfully`, { name, uuid, result: 'updated', [kind]: text });
}

/** `vnet metadata`: shows, sets or removes the element that a program keeps with a network. */
export async function runMetadata(call: Call): Promise<void> {
  for (const [one, other] of [['edit', 'set'], ['remove', 'set'], ['remove', 'edit']] as const) refuseBoth(call, one, other);
  const where = whereOf(call);
  const uri = call.word('uri');
  const [key, set] = [call.value('key'), call.value('set')];
  if ((set !== undefined || call.flag('edit')) && key === undefined) throw new UsageError('namespace key is required when modifying metadata');
  const network = await call.network(call.word('network'));
  const record = { name: network.name, uuid: network.uuid, uri };
  if (call.flag('remove')) {
    await network.setMetadata(uri, '', '', where);
    return call.announce('Metadata removed', { ...record, result: 'removed' });
  }
  if (set === undefined && !call.flag('edit')) return show(call, network, uri, where, record);
  const old = call.flag('edit') ? await orNone(() => network.metadata(uri, readable(where))) ?? '' : '';
  const xml = set ?? (await editText(call, old)).trim();
  if (call.flag('edit') && xml === old) return call.announce('Metadata not changed', { ...record, result: 'not changed' });
  await network.setMetadata(uri, key ?? '', xml, where);
  call.announce('Metadata modified', { ...record, result: 'modified' });
}

async function show(call: Call, network: Network, uri: string, where: Where, record: object): Promise<void> {
  const xml = await network.metadata(uri, where);
  call.print(`${call.surroundings.stdout.isTTY === true ? escapeXml(xml) : xml}\n`, { ...record, xml });
}

/** Where two definitions are set, the saved one is shown. */
function readable({ live = false, config = false }: Where): Where {
  return { live: live && !config, config };
}

async function orNone(read: () => Promise<string>): Promise<string | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof NetworkError && error.code === ErrorCode.NO_NETWORK_METADATA) return undefined;
    throw error instanceof NetworkError ? error : new Failure('cannot read it', { cause: error });
  }
}
