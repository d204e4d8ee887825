/**
 * Lives here: one end of a flow of numbered datagrams:
 *
 *     flow.mjs receive PORT
 *     flow.mjs send ADDRESS PORT PER_SECOND
 *
 * It says `ready`, works until its input ends, and then says how many different
 * datagrams it has sent or received, in how many seconds. Does not know: the
 * lab.
 */
import { createSocket } from 'node:dgram';

const [mode, ...words] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${line}\n`);
const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024, sendBufferSize: 4 * 1024 * 1024 });
const inputEnds = new Promise((resolve) => process.stdin.resume().once('end', resolve));
let count = 0;

if (mode === 'receive') {
  const seen = new Set();
  socket.on('message', (message) => seen.add(message.readUInt32BE()));
  await new Promise((resolve) => socket.bind(Number(words[0]), resolve));
  say('ready');
  await inputEnds;
  // What is still in the socket's buffer is read before it is counted.
  for (let last = -1; last !== seen.size; await new Promise((resolve) => setTimeout(resolve, 100))) last = seen.size;
  say(JSON.stringify({ count: seen.size, seconds: 0 }));
} else {
  const [address, port, perSecond] = words;
  const began = performance.now();
  let over = false;
  await new Promise((resolve) => socket.connect(Number(port), address, resolve));
  say('ready');
  const sendDue = () => new Promise((resolve, reject) => {
    const due = Math.min(Math.floor((performance.now() - began) / 1000 * Number(perSecond)), count + 100);
    let waiting = due - count;
    if (waiting <= 0) return resolve();
    for (; count < due; count += 1) {
      const message = Buffer.alloc(64);
      message.writeUInt32BE(count);
      socket.send(message, (error) => (error ? reject(error) : --waiting === 0 && resolve()));
    }
  });
  void inputEnds.then(() => { over = true; });
  while (!over) {
    await sendDue();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  say(JSON.stringify({ count, seconds: (performance.now() - began) / 1000 }));
}
process.exit(0);
