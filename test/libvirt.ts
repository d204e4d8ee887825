/**
 * Lives here: libvirtd as a peer to compare with: started in this mount and
 * network namespace on folders of its own, spoken to through its own library
 * over one connection. Does not know: what is compared.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { join } from 'node:path';
import { openFolder, until } from './processes.js';

const run = promisify(execFile);

/** Answers requests on standard input, one JSON line each, over one connection; for measuring, over as many as are asked for. */
const speaker = `
import json, sys, threading, time, libvirt
libvirt.registerErrorHandler(lambda *a: None, None)
conn = libvirt.open('qemu:///system')
conns = [conn]
def measure(call, names, count, threads, connections):
    while len(conns) < connections: conns.append(libvirt.open('qemu:///system'))
    def work(n):
        mine = conns[n % connections]
        if call == 'lookup': do = mine.networkLookupByName
        if call == 'dump':
            handles = {name: mine.networkLookupByName(name) for name in names}
            do = lambda name: handles[name].XMLDesc(0)
        if call == 'define': do = mine.networkDefineXML
        ready.wait()
        for i in range(n, count, threads): do(names[i % len(names)])
    ready = threading.Barrier(threads + 1)
    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers: worker.start()
    ready.wait()
    began = time.perf_counter()
    for worker in workers: worker.join()
    return (time.perf_counter() - began) * 1000
def answer(verb, argument):
    if verb == 'measure': return measure(*argument)
    if verb == 'define': return conn.networkDefineXML(argument).name()
    if verb == 'start': return conn.networkLookupByName(argument).create()
    if verb == 'stop': return conn.networkLookupByName(argument).destroy()
    if verb == 'active': return conn.numOfNetworks()
    if verb == 'dump': return conn.networkLookupByName(argument).XMLDesc(0)
    network = conn.networkLookupByName(argument[0])
    if verb == 'ports': return [port.UUIDString() for port in network.listAllPorts(0)]
    if verb == 'create-port': return network.portCreateXML(argument[1], argument[2]).XMLDesc(0)
    port = network.portLookupByUUIDString(argument[1])
    if verb == 'dump-port': return port.XMLDesc(0)
    if verb == 'delete-port': return port.delete(0)
    if verb == 'port-parameters': return port.parameters(0)
    if verb == 'set-port-parameters': return port.setParameters(argument[2], 0)
    raise ValueError(verb)
print('ready', flush=True)
for line in sys.stdin:
    try: print(json.dumps({'ok': answer(*json.loads(line))}), flush=True)
    except libvirt.libvirtError as e: print(json.dumps({'error': str(e), 'code': e.get_error_code()}), flush=True)
    except Exception as e: print(json.dumps({'error': str(e)}), flush=True)
`;

/** What became of a question: an answer, or an error with libvirt's code. */
export interface LibvirtAnswer {
  ok?: unknown;
  error?: string;
  /** Absent where the message holds bytes that are no text: Python cannot read such an error. */
  code?: number;
}

/** What a libvirtd can be asked about a port; the network's name comes first. */
export type PortVerb = 'ports' | 'create-port' | 'dump-port' | 'delete-port' | 'port-parameters' | 'set-port-parameters';

/** A libvirtd of our own. */
export interface Libvirt {
  /** Does one thing and waits for it. Gives the number of active networks when that is asked for. */
  ask(verb: 'define' | 'start' | 'stop' | 'dump' | 'active', argument: string): Promise<unknown>;
  /**
   * Makes many calls and times them, without what asking costs.
   *
   * @param words what each call is about, in turns: names, for define documents
   * @returns milliseconds
   */
  measure(call: 'lookup' | 'dump' | 'define', words: readonly string[], count: number, threads: number, connections: number): Promise<number>;
  /** Tries one thing with a port. */
  tryPort(verb: PortVerb, ...argument: unknown[]): Promise<LibvirtAnswer>;
  close(): Promise<void>;
}

/**
 * Starts libvirtd. Its folders are hidden under empty ones in this mount
 * namespace, so a libvirtd of the machine is not touched.
 *
 * @param programs a folder whose programs it finds before the machine's
 * @param prepare what to do with its empty folders before it starts
 * @throws Error if it is not installed
 */
export async function openLibvirt({ programs = '', prepare = async () => undefined }: { programs?: string; prepare?: () => Promise<void> } = {}): Promise<Libvirt> {
  const folder = await openFolder();
  for (const path of ['/var/lib/libvirt', '/var/cache/libvirt', '/var/log/libvirt', '/etc/libvirt/qemu']) {
    await mkdir(path, { recursive: true });
    await run('mount', ['-t', 'tmpfs', 'tmpfs', path]);
  }
  for (const path of ['/var/lib/libvirt/dnsmasq', '/run/libvirt', '/etc/libvirt/qemu/networks/autostart']) await mkdir(path, { recursive: true });
  const config = join(folder.path, 'libvirtd.conf');
  await writeFile(config, 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n');
  await prepare();
  const daemon = spawn('libvirtd', ['--config', config], { stdio: 'ignore', env: { ...process.env, PATH: `${programs === '' ? '' : `${programs}:`}/usr/sbin:/sbin:${process.env['PATH']}` } });
  const client = await until('libvirtd answers', async () => {
    if (daemon.exitCode !== null) throw new Error('libvirtd ended');
    const child = spawn('/usr/bin/python3', ['-c', speaker], { stdio: ['pipe', 'pipe', 'ignore'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value } = await lines.next() as { value: string | undefined };
    return value === 'ready' ? { child, lines } : undefined;
  }, 20_000);
  const answer = async (verb: string, argument: unknown): Promise<LibvirtAnswer> => {
    client.child.stdin.write(`${JSON.stringify([verb, argument])}\n`);
    const { value } = await client.lines.next() as { value: string };
    return JSON.parse(value) as LibvirtAnswer;
  };
  const ask = async (verb: string, argument: unknown): Promise<unknown> => {
    const { ok, error } = await answer(verb, argument);
    if (error !== undefined) throw new Error(`libvirt: ${error}`);
    return ok;
  };
  return {
    ask,
    measure: (...argument) => ask('measure', argument) as Promise<number>,
    tryPort: (verb, ...argument) => answer(verb, argument),
    async close() {
      client.child.stdin.end();
      const ended = new Promise((resolve) => daemon.once('exit', resolve));
      daemon.kill();
      await ended;
      await folder.close();
    },
  };
}
