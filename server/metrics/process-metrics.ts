/**
 * Lives here: what the metrics tell of the process, under the names that every
 * Prometheus client uses. Does not know: networks, calls.
 */
import { readdir, readFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { version } from '../../shared/version.js';
import { parseDescriptors } from '../limits/descriptors.js';
import { reading, type Metric } from './exposition.js';

const nanosecond = 1e-9;

/** Reads the process. Its event loop is watched from now on. */
export function watchProcess(): () => Promise<Metric[]> {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  return async () => {
    const [open, limits] = await Promise.all([readdir('/proc/self/fd').catch(() => []), readFile('/proc/self/limits', 'utf8').catch(() => '')]);
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed } = process.memoryUsage();
    // The resolution is part of what is measured.
    const lag = Math.max(0, delay.max * nanosecond - 0.02);
    delay.reset();
    return [
      reading('gauge', 'vnetd_build_info', 'Which vnetd this is, and on which Node it runs.', [{ labels: { version, node: process.version }, value: 1 }]),
      reading('counter', 'process_cpu_seconds_total', 'Time spent by the processor, in user and in system.', (user + system) / 1e6),
      reading('gauge', 'process_resident_memory_bytes', 'Memory in use.', rss),
      reading('gauge', 'nodejs_heap_size_used_bytes', 'Memory of objects.', heapUsed),
      reading('gauge', 'process_open_fds', 'Open files.', open.length),
      reading('gauge', 'process_max_fds', 'How many files may be open.', parseDescriptors(limits)),
      reading('gauge', 'process_start_time_seconds', 'When the process was started, in seconds since 1970.', Date.now() / 1000 - process.uptime()),
      reading('gauge', 'nodejs_eventloop_lag_max_seconds', 'The longest time since the last reading that the event loop was kept busy.', lag),
    ];
  };
}
