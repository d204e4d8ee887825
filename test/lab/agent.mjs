/**
 * Lives here: what acts inside one namespace of a lab: it answers on a port
 * with the address it sees, and does what it is asked, one JSON object a line
 * on standard input, one answer a line on standard output. One process for
 * each namespace, so that a question costs no start of a program. Does not
 * know: the lab. Ends when its input does.
 */
import { createSocket } from 'node:dgram';
import { promises as dns } from 'node:dns';
import { createConnection, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';

/** Every datagram that came to the port, newest last. */
const heard = [];

/** What it can be asked. */
const actions = {
  /** Answers TCP and UDP, IPv4 and IPv6, on a port. */
  async serve({ port }) {
    await new Promise((resolve, reject) => {
      createServer((socket) => {
        socket.on('error', () => undefined);
        socket.end(JSON.stringify({ address: plain(socket.remoteAddress), port: socket.remotePort }));
      }).on('error', reject).listen(port, '::', resolve);
    });
    const socket = createSocket('udp6');
    socket.on('message', (message, { address, port: from }) => {
      heard.push(message.toString());
      socket.send(JSON.stringify({ address: plain(address), port: from }), from, address, () => undefined);
    });
    await new Promise((resolve, reject) => socket.once('error', reject).bind(port, '::', resolve));
    return {};
  },

  /** Tries to reach a port; `seen` is how the other side saw it. */
  async reach({ protocol, ...target }) {
    try {
      return { reached: true, seen: JSON.parse(await { tcp: reachTcp, udp: reachUdp }[protocol](target)) };
    } catch (error) {
      return { reached: false, why: error.code ?? error.message };
    }
  },

  heard: async () => ({ messages: heard }),

  /** Sends a datagram to everyone at an address, and waits for no answer. */
  async shout({ address, port, message }) {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    await new Promise((resolve) => socket.bind(resolve));
    if (!address.includes(':')) socket.setBroadcast(true);
    await new Promise((resolve, reject) => socket.send(message, port, address, (error) => (error ? reject(error) : resolve())));
    socket.close();
    return {};
  },

  /** Hears what is sent to a group on a port. */
  async join({ group, port, interfaceName }) {
    const socket = createSocket({ type: group.includes(':') ? 'udp6' : 'udp4', reuseAddr: true });
    socket.on('message', (message) => heard.push(message.toString()));
    await new Promise((resolve, reject) => socket.once('error', reject).bind(port, resolve));
    const [{ address }] = networkInterfaces()[interfaceName].filter(({ family }) => family === 'IPv4');
    socket.addMembership(group, group.includes(':') ? `::%${interfaceName}` : address);
    return {};
  },

  /** Asks a name server. */
  async resolve({ server, name, type, timeoutMs }) {
    const resolver = new dns.Resolver({ timeout: timeoutMs, tries: 1 });
    resolver.setServers([server.includes(':') ? `[${server}]` : server]);
    try {
      return { answers: type === 'PTR' ? await resolver.reverse(name) : await resolver.resolve(name, type) };
    } catch (error) {
      return { answers: [], why: error.code };
    }
  },
};

function reachTcp({ address, port, localPort, timeoutMs }) {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = createConnection({ host: address, port, localPort });
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('timeout')));
    socket.on('data', (data) => { text += data; }).on('error', reject).on('end', () => resolve(text));
  });
}

function reachUdp({ address, port, message, timeoutMs }) {
  return new Promise((resolve, reject) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const timer = setTimeout(() => end(reject, new Error('timeout')), timeoutMs);
    const end = (settle, value) => { clearTimeout(timer); socket.close(); settle(value); };
    socket.once('error', (error) => end(reject, error)).once('message', (data) => end(resolve, data.toString()));
    // Connected, so that the kernel tells of an ICMP refusal.
    socket.connect(port, address, (error) => (error ? end(reject, error) : socket.send(message)));
  });
}

/** An IPv4 address that came to an IPv6 socket, as IPv4. */
function plain(address) {
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { id, action, ...rest } = JSON.parse(line);
  const answer = await actions[action](rest).catch((error) => ({ failed: error.message }));
  process.stdout.write(`${JSON.stringify({ id, ...answer })}\n`);
}).on('close', () => process.exit(0));
