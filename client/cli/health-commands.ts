/**
 * Lives here: the part of the table of commands that tells what is wrong. Does
 * not know: what a command does, the other commands.
 */
import { dataFormats, type Argument, type Command } from './command.js';

const network: Argument = { name: 'network', kind: 'network', summary: 'network name or uuid', optional: true };

/** The commands that tell what is wrong. */
export const healthCommands: readonly Command[] = [
  {
    name: 'status', summary: 'show the health of networks, what was repaired, and damaged files',
    description: 'What the daemon has noticed since it started: of each network, or of one, what is wrong now and since when; what other programs took away or ' +
      'altered and was put right, when and how often; and definitions and other files of the daemon that could not be read. It looks at nothing: vnet doctor does.',
    arguments: [network], formats: dataFormats,
    run: async (call) => (await import('./status.js')).runStatus(call),
  },
  {
    name: 'doctor', summary: 'find what would keep networks from working, and say what to do',
    description: 'Looks at the host, and at one network or all: programs, rights, other programs\' firewall rules, ports, routes, limits. ' +
      'If no daemon answers, at what can be seen from here: the socket or the way there, who listens, the certificates of both ends, the clock. ' +
      'With -c vnet+tls://... also at a connection that works. Nothing is touched. Fails if anything is an error.',
    arguments: [network], formats: dataFormats,
    run: async (call) => (await import('./doctor.js')).runDoctor(call),
  },
];
