/**
 * Lives here: a flow of datagrams between two namespaces of a lab, each of
 * which is counted. Does not know: the lab.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { inNamespace } from './place.js';

/** Numbered datagrams from one namespace to another. */
export interface Flow {
  /** Ends it, and says how many were sent, how many came, and how many a second. */
  end(): Promise<{ sent: number; received: number; perSecond: number }>;
}

const flowProgram = new URL('flow.mjs', import.meta.url).pathname.replace('/dist/test/', '/test/');

/**
 * Opens one. Both ends are ready when it is.
 *
 * @param from the namespace that sends @param to the one that receives, at an address and a UDP port
 */
export async function openFlow(from: string, to: string, address: string, port: number, perSecond: number): Promise<Flow> {
  const run = async (namespace: string, ...argv: string[]) => {
    const [program, ...rest] = inNamespace(namespace, process.execPath, flowProgram, ...argv);
    const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value } = await lines.next();
    if (value !== 'ready') throw new Error(`one end of a flow says ${String(value)}`);
    return { child, lines };
  };
  const end = async ({ child, lines }: { child: ChildProcess; lines: AsyncIterator<string> }) => {
    child.stdin!.end();
    return JSON.parse((await lines.next()).value as string) as { count: number; seconds: number };
  };
  const receiver = await run(to, 'receive', String(port));
  const sender = await run(from, 'send', address, String(port), String(perSecond));
  return {
    end: async () => {
      const { count: sent, seconds } = await end(sender);
      const { count: received } = await end(receiver);
      return { sent, received, perSecond: Math.round(sent / seconds) };
    },
  };
}
