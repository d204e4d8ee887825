/**
 * Lives here: datagrams in great numbers, sent or counted inside one namespace
 * of a lab. Plain JavaScript, run as it stands, until its input ends. Does not
 * know: the lab.
 *
 *     node flood.mjs send PORT MESSAGE TARGET...   as fast as it can, each from a port of its own; prints how many
 *     node flood.mjs pace PORT EVERY_MS TARGET     numbered, from one port; prints how many
 *     node flood.mjs count PORT                    prints a JSON object: for each `MESSAGE from ADDRESS` how many
 *
 * The first line that it prints is `ready`.
 */
import { createSocket } from 'node:dgram';

const [verb, port, ...rest] = process.argv.slice(2);
let count = 0;
let stopped = false;
let finish = () => console.log(count);
process.stdin.resume().on('end', () => { stopped = true; finish(); });

const kindOf = (address) => (address.includes(':') ? 'udp6' : 'udp4');

const verbs = {
  /** A new flow for each datagram: nothing that was decided once holds for the next. */
  send(message, ...targets) {
    const next = () => {
      if (stopped) return;
      const target = targets[count++ % targets.length];
      const socket = createSocket(kindOf(target));
      socket.on('error', () => undefined);
      socket.send(message, Number(port), target, () => { socket.close(); setImmediate(next); });
    };
    next();
  },

  pace(everyMs, target) {
    const socket = createSocket(kindOf(target));
    socket.on('error', () => undefined).connect(Number(port), target, () => {
      const timer = setInterval(() => socket.send(`paced ${count++}`), Number(everyMs));
      finish = () => { clearInterval(timer); socket.close(); console.log(count); };
    });
  },

  count() {
    const seen = {};
    const socket = createSocket({ type: 'udp6', recvBufferSize: 4 * 1024 * 1024 });
    socket.on('message', (message, { address }) => {
      const key = `${message.toString().replace(/ \d+$/, '')} from ${address.replace(/^::ffff:(?=\d+\.)/, '')}`;
      seen[key] = (seen[key] ?? 0) + 1;
    }).bind(Number(port));
    finish = () => { socket.close(); console.log(JSON.stringify(seen)); };
  },
};

verbs[verb](...rest);
console.log('ready');
