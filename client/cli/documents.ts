/**
 * Lives here: the commands that take a definition to the host or fetch one:
 * define, create, dumpxml. Does not know: what a definition says.
 */
import type { Connection, DocumentOptions, MadeNetwork } from '../connection.js';
import type { Call } from './call.js';
import { renderChanges, sayPending } from './changes.js';
import { readDocument } from './document-file.js';
import { escapeXml } from './escape.js';
import { attempt } from './failure.js';
import { revisionOf } from './history.js';
import type { OutputRecord } from './output.js';

/** `vnet define`. */
export const runDefine = (call: Call) => (call.flag('dry-run') ? tryDefine(call) : make(call, 'define', 'defined', async (connection, xml, options) => {
  const made = await connection.defineXml(xml, { ...options, ...expectationOf(call) });
  return { ...made, after: () => sayPending(call, made.network, made.pending), more: { pending: made.pending, revision: made.revision } };
}));

/** `vnet define --dry-run`. */
async function tryDefine(call: Call): Promise<void> {
  const connection = await call.connection();
  const { text, label } = await readDocument(call.word('file'), call.surroundings.stdin);
  const { network: { name, uuid }, warnings, pending, changes } = await attempt(`Failed to define network from ${label}`,
    () => connection.defineXml(text, { validate: call.flag('validate'), dryRun: true, ...expectationOf(call) }), { file: label });
  for (const warning of warnings) call.warn(warning);
  call.print(renderChanges(call, changes), { name, uuid, result: 'not changed', warnings, pending, changes });
  if (pending.length > 0) call.warn(`network ${name} is active; these parts would wait for its next start: ${pending.join(', ')}`, 'hint');
}

function expectationOf(call: Call): { expectedRevision?: number } {
  const expected = call.value('expect-revision');
  return expected === undefined ? {} : { expectedRevision: revisionOf(expected) };
}

/** `vnet create`. */
export const runCreate = (call: Call) => make(call, 'create', 'created', (connection, xml, options) => connection.createXml(xml, options));

/** `vnet dumpxml`. */
export async function runDumpXml(call: Call): Promise<void> {
  const network = await call.network(call.word('network'));
  const xml = await network.dumpXml({ inactive: call.flag('inactive') });
  const { name, uuid } = network;
  // To a file it goes as it is.
  call.print(call.surroundings.stdout.isTTY === true ? escapeXml(xml) : xml, { name, uuid, xml });
}

/** What came of a document; what else to say of it, to people and to programs. */
type Made = MadeNetwork & { after?: () => Promise<void>; more?: OutputRecord };
type Make = (connection: Connection, xml: string, options: DocumentOptions) => Promise<Made>;

async function make(call: Call, verb: string, result: string, work: Make): Promise<void> {
  const connection = await call.connection();
  const { text, label } = await readDocument(call.word('file'), call.surroundings.stdin);
  const { network, warnings, after, more } = await attempt(`Failed to ${verb} network from ${label}`,
    () => work(connection, text, { validate: call.flag('validate') }), { file: label });
  for (const warning of warnings) call.warn(warning);
  const { name, uuid } = network;
  call.announce(`Network ${name} ${result} from ${label}`, { name, uuid, result, warnings, ...more });
  await after?.();
}
