/**
 * Lives here: running `vnet` inside the test's process, with streams that the
 * test reads and a driver that outlives the run. Does not know: what is tested.
 */
import { PassThrough, Readable } from 'node:stream';
import { main } from '../../../client/cli/main.js';
import type { ConnectedDriver, ConnectOptions } from '../../../client/connect.js';
import type { NetworkDriver } from '../../../shared/gen/vnet/v1/network_driver.js';

/** What a run left behind. */
export interface Run {
  code: number;
  out: string;
  err: string;
  /** The connections it opened, with their options. */
  opened: { uri: string; options: ConnectOptions }[];
  /** How many of them it closed. */
  closed: number;
}

/** What a run finds. */
export interface Scene {
  driver?: Partial<NetworkDriver>;
  /** Instead of the driver: how to get one. */
  connect?: (uri: string, options: ConnectOptions) => Promise<ConnectedDriver>;
  env?: Record<string, string>;
  /** What stands on standard input. */
  stdin?: string;
  /** Standard input and output are a terminal of this width. */
  terminal?: number;
  interrupted?: AbortSignal;
  /** Instead of the driver: why there is none. */
  refusal?: Error;
}

/** Runs `vnet` with these words. */
export async function runVnet(argv: string[], scene: Scene = {}): Promise<Run> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const stdin = Readable.from(scene.stdin === undefined ? [] : [Buffer.from(scene.stdin)]);
  const { terminal, refusal, driver = {}, env = {} } = scene;
  const run: Run = { code: -1, out: '', err: '', opened: [], closed: 0 };
  stdout.setEncoding('utf8').on('data', (text: string) => { run.out += text; });
  stderr.setEncoding('utf8').on('data', (text: string) => { run.err += text; });
  run.code = await main({
    argv, env,
    stdin: Object.assign(stdin, { isTTY: terminal !== undefined }),
    stdout: Object.assign(stdout, terminal === undefined ? {} : { isTTY: true, columns: terminal }),
    stderr,
    connect: async (uri, options) => {
      run.opened.push({ uri, options });
      if (refusal !== undefined) throw refusal;
      if (scene.connect !== undefined) return scene.connect(uri, options);
      return { driver: driver as NetworkDriver, uri, close: async () => { run.closed++; } };
    },
    interrupted: scene.interrupted ?? new AbortController().signal,
    holdInterrupts: () => undefined,
  });
  await new Promise((resolve) => setImmediate(resolve));
  return run;
}
