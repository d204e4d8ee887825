/**
 * Lives here: the commands that take a definition to the host or fetch one:
 * define, create, dumpxml. Does not know: what a definition says.
 */
import type { Connection, DocumentOptions, MadeNetwork } from '../connection.js';
import type { Call } from './call.js';
import { readDocument } from './document-file.js';
import { escapeXml } from './escape.js';
import { attempt } from './failure.js';

/** `vnet define`. */
export const runDefine = (call: Call) => make(call, 'define', 'defined', (connection, xml, options) => connection.defineXml(xml, options));

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

type Make = (connection: Connection, xml: string, options: DocumentOptions) => Promise<MadeNetwork>;

async function make(call: Call, verb: string, result: string, work: Make): Promise<void> {
  const connection = await call.connection();
  const { text, label } = await readDocument(call.word('file'), call.surroundings.stdin);
  const { network, warnings } = await attempt(`Failed to ${verb} network from ${label}`,
    () => work(connection, text, { validate: call.flag('validate') }), { file: label });
  for (const warning of warnings) call.warn(warning);
  const { name, uuid } = network;
  call.announce(`Network ${name} ${result} from ${label}`, { name, uuid, result, warnings });
}
