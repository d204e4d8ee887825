/**
 * Lives here: telling systemd how the daemon is. Does nothing where systemd
 * did not start it.
 */
import { execa } from 'execa';

/**
 * Sends a state such as READY=1. Node cannot speak to systemd's datagram
 * socket, systemd's own program can.
 */
export async function notifySystemd(...states: string[]): Promise<void> {
  if (process.env['NOTIFY_SOCKET'] === undefined) return;
  // With execa's cleanup a SIGTERM that comes meanwhile would end this process at once.
  await execa('systemd-notify', [`--pid=${process.pid}`, ...states], { reject: false, timeout: 5000, cleanup: false });
}
