/**
 * Lives here: clients of every kind that make a soak's calls: our library over
 * each transport, and the program `vnet`. Each answers in the words of the
 * model. Does not know: what is right.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { openConnection, type Connection } from '../../client/connection.js';
import { Network } from '../../client/network.js';
import { errorCodeName, ErrorCode, NetworkError } from '../../shared/errors.js';
import { dist } from '../processes.js';
import { describeState, type Operation } from './model.js';
import { anchor, documentOf, hostElement, portDocument, readContents, type Contents, type Site } from './sites.js';

/** What a call was answered with. */
export interface Answer {
  /** `ok`, `ok: ...`, or the name of an error. */
  answer: string;
  /** What an error said. */
  words: string;
}

/** Who makes calls. */
export interface Client {
  kind: string;
  call(operation: Operation): Promise<Answer>;
  close(): Promise<void>;
}

const contents: Contents = { title: 'misfit', hosts: [] };

/** A document that is refused whatever is there. */
function misfit(kind: 'bad-xml' | 'foreign-uuid' | 'foreign-bridge', site: Site): string {
  switch (kind) {
    case 'bad-xml': return documentOf({ ...site, subnet: 'nowhere' }, contents);
    case 'foreign-uuid': return documentOf({ ...site, uuid: anchor.uuid, bridge: 'skforeign' }, contents);
    case 'foreign-bridge': return documentOf({ ...site, bridge: anchor.bridge }, contents);
  }
}

/** Our library. It connects when it is asked for the first time. */
export function createLibraryClient(kind: string, uri: string): Client {
  let opening: Promise<Connection> | undefined;
  const connected = () => {
    const connection = opening ??= openConnection(uri);
    connection.catch(() => { opening = undefined; });
    return connection;
  };
  return {
    kind,
    call: async (operation) => {
      try {
        const said = await perform(await connected(), operation);
        return { answer: said === undefined ? 'ok' : `ok: ${said}`, words: '' };
      } catch (error) {
        return answerOf(error);
      }
    },
    close: async () => (await opening)?.close(),
  };
}

/** How an error reads in a report. */
export function answerOf(error: unknown): Answer {
  if (!(error instanceof NetworkError)) return { answer: 'no NetworkError', words: error instanceof Error ? error.stack ?? error.message : String(error) };
  return { answer: errorCodeName(error.code), words: error.message };
}

async function perform(connection: Connection, operation: Operation): Promise<string | void> {
  const { site } = operation;
  const network = networkOf(connection, site);
  switch (operation.kind) {
    case 'define': return void await connection.defineXml(documentOf(site, operation.contents));
    case 'create': return void await connection.createXml(documentOf(site, operation.contents));
    case 'bad-xml': case 'foreign-uuid': case 'foreign-bridge': return void await connection.defineXml(misfit(operation.kind, site));
    case 'stale-revision': return void await connection.defineXml(documentOf(site, contents), { expectedRevision: 1_000_000 });
    case 'start': return network.start();
    case 'destroy': return network.destroy(operation);
    case 'undefine': return network.undefine();
    case 'autostart': return network.setAutostart(operation.on);
    case 'title': return network.setTitle(operation.title, operation);
    case 'add-host': case 'delete-host': return void await network.update(hostChange(operation), operation);
    case 'attach': {
      const { port, netns } = operation;
      return void await network.createPort(portDocument(port), { attachment: netns === undefined ? { tap: {} } : { veth: { netns } } });
    }
    case 'detach': return (await network.lookupPort(operation.port)).delete();
    case 'lookup': return (await connection.lookupByName(site.name)).uuid;
    case 'look': return look(connection, site);
    case 'dump': return readContents(await network.dumpXml());
    case 'dump-saved': return readContents(await network.dumpXml({ inactive: true }));
    case 'ports': return (await network.ports()).map(({ uuid }) => uuid).join(' ');
  }
}

/** A handle on a network that may not be there. */
function networkOf(connection: Connection, { name, uuid }: Site): Network {
  return new Network(connection, { name, uuid });
}

function hostChange({ kind, site, host }: Operation & { kind: 'add-host' | 'delete-host' }) {
  return { command: kind === 'add-host' ? 'add-last' : 'delete', section: 'ip-dhcp-host', xml: hostElement(site.subnet, host) } as const;
}

async function look(connection: Connection, { name }: Site): Promise<string> {
  const row = (await connection.listAllNetworks()).find(({ network }) => network.name === name);
  if (row === undefined) throw new NetworkError(ErrorCode.NO_NETWORK, name);
  return describeState({ live: row.active ? contents : undefined, saved: row.persistent ? contents : undefined, autostart: row.autostart, ports: [] });
}

/** The program `vnet`, one process for each call. It makes the calls that it has words for. */
export function createProgramClient(uri: string): Client {
  return {
    kind: 'program',
    call: (operation) => new Promise((resolve) => {
      const { argv, input = '', read } = commandOf(operation);
      const child = execFile(process.execPath, [join(dist, 'bin/vnet.js'), '-c', uri, '-o', 'json', ...argv], { timeout: 60_000, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
        if (error === null) resolve({ answer: read === undefined ? 'ok' : `ok: ${read(JSON.parse(stdout) as Record<string, unknown>[])}`, words: '' });
        else resolve(failureOf(stderr, error));
      });
      child.stdin?.on('error', () => undefined).end(input);
    }),
    close: async () => undefined,
  };
}

function failureOf(stderr: string, error: Error): Answer {
  const line = stderr.split('\n').find((each) => each.startsWith('{"error":'));
  if (line === undefined) return { answer: 'no error of vnet', words: `${error.message}: ${stderr}` };
  const { code, message } = (JSON.parse(line) as { error: { code: string; message: string } }).error;
  return { answer: code, words: message };
}

/** What the program is given, and how its records are read. */
interface Command {
  argv: string[];
  input?: string;
  read?(records: Record<string, unknown>[]): string;
}

function commandOf(operation: Operation): Command {
  const { site, site: { name } } = operation;
  const where = (flags: { live: boolean; config: boolean }) => [...(flags.live ? ['--live'] : []), ...(flags.config ? ['--config'] : [])];
  switch (operation.kind) {
    case 'define': return { argv: ['define', '-'], input: documentOf(site, operation.contents) };
    case 'create': return { argv: ['create', '-'], input: documentOf(site, operation.contents) };
    case 'bad-xml': case 'foreign-uuid': case 'foreign-bridge': return { argv: ['define', '-'], input: misfit(operation.kind, site) };
    case 'stale-revision': return { argv: ['define', '--expect-revision', '1000000', '-'], input: documentOf(site, contents) };
    case 'start': return { argv: ['start', name] };
    case 'destroy': return { argv: ['destroy', ...(operation.force ? ['--force'] : []), name] };
    case 'undefine': return { argv: ['undefine', name] };
    case 'autostart': return { argv: ['autostart', ...(operation.on ? [] : ['--disable']), name] };
    case 'title': return { argv: ['desc', '--title', ...where(operation), name, operation.title] };
    case 'add-host': case 'delete-host': {
      const { command, section, xml } = hostChange(operation);
      return { argv: ['update', ...where(operation), name, command, section, xml] };
    }
    case 'attach': return { argv: ['port-create', name, '-'], input: portDocument(operation.port) };
    case 'detach': return { argv: ['detach', name, operation.port] };
    case 'lookup': return { argv: ['info', name], read: ([record]) => String(record?.['uuid']) };
    case 'look': return { argv: ['info', name], read: ([record]) => describeState({
      live: record?.['active'] === true ? contents : undefined, saved: record?.['persistent'] === true ? contents : undefined, autostart: record?.['autostart'] === true, ports: [],
    }) };
    case 'dump': return { argv: ['dumpxml', name], read: ([record]) => readContents(String(record?.['xml'])) };
    case 'dump-saved': return { argv: ['dumpxml', '--inactive', name], read: ([record]) => readContents(String(record?.['xml'])) };
    case 'ports': return { argv: ['ports', name], read: (records) => records.map((record) => String(record['uuid'])).join(' ') };
  }
}
