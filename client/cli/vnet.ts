#!/usr/bin/env node
/**
 * Lives here: the program `vnet` as a process: its streams and its signals.
 * Everything else is in `main.ts`.
 */
import { main } from './main.js';

const interrupt = new AbortController();
let held = false;
process.on('SIGINT', () => {
  if (held) return;
  // Whoever presses it twice does not want to wait.
  if (interrupt.signal.aborted) process.exit();
  interrupt.abort();
});

for (const stream of [process.stdout, process.stderr]) {
  // A reader that has seen enough (`vnet list | head`) is no failure; what is being done is done to its end.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

process.exitCode = await main({
  argv: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  connect: async (uri, options) => (await import('../connect.js')).connect(uri, options),
  interrupted: interrupt.signal,
  holdInterrupts: (hold) => { held = hold; },
});
// A call that was cut short, or a prompt, may keep the process alive.
if (interrupt.signal.aborted) process.exit();
