/**
 * Lives here: an attack as a program: opens the connections, keeps them busy,
 * and tells what became of them.
 *
 *     node test/attack/attack.mjs NAME URI SECONDS PATIENCE [CONNECTIONS]
 *
 * It goes on for so many seconds, and then waits for the other side to end what
 * is open for PATIENCE seconds at the most.
 *
 * Prints `begun` when it has begun, and at the end one line of JSON: how many
 * connections were opened, how many could not be, how many were ended by the
 * other side, how many are open still, after how many milliseconds the last one was ended, what
 * the other side said in its GOAWAY, and how many frames of which kind it sent: `data`, and streams that it ended or reset.
 */
import { attacks } from './attacks.mjs';
import { openSocket, placeOf, readFrames } from './wire.mjs';

const [name = '', uri = '', seconds = '1', patience = '0', count] = process.argv.slice(2);
const attack = attacks[name];
if (attack === undefined) {
  console.error(`no such attack: ${name}; there are: ${Object.keys(attacks).join(', ')}`);
  process.exit(2);
}
const place = placeOf(uri);
const began = performance.now();
const until = began + Number(seconds) * 1000;
const result = { opened: 0, failed: 0, ended: 0, open: 0, lastMs: 0, said: {}, sent: 0, data: 0, endedStreams: 0, resetStreams: 0 };

function begin() {
  const socket = openSocket(place, { raw: attack.raw });
  let stream = -1;
  const line = {
    write: (bytes) => { result.sent += bytes.length; return !socket.destroyed && socket.write(bytes); },
    nextStream: (from = 1) => stream = Math.max(from, stream + 2),
    /** Sends what `each` gives until the end, or so many times. */
    pump(each, times = Infinity) {
      let left = times;
      const step = () => {
        for (let turns = 0; !socket.destroyed && left > 0 && performance.now() < until + Number(patience) * 1000; turns += 1) {
          left -= 1;
          if (!line.write(each())) return void socket.once('drain', step);
          // Its own other connections want their turn.
          if (turns > 20) return void setImmediate(step);
        }
      };
      step();
    },
    /** Sends what `each` gives ten times a second until the end. */
    steadily(each) {
      const timer = setInterval(() => {
        if (socket.destroyed || performance.now() > until) clearInterval(timer);
        else line.write(each());
      }, 100);
    },
  };
  const hear = readFrames({
    data: () => { result.data += 1; },
    ended: () => { result.endedStreams += 1; },
    reset: () => { result.resetStreams += 1; },
    goaway: (words) => { result.said[words] = (result.said[words] ?? 0) + 1; },
  });
  socket.once(socket.encrypted ? 'secureConnect' : 'connect', () => {
    there = true;
    result.opened += 1;
    result.open += 1;
    attack.take(line);
    socket.once('close', () => {
      result.open -= 1;
      result.ended += 1;
      result.lastMs = Math.round(performance.now() - began);
    });
  });
  let there = false;
  socket.once('close', () => { if (!there) result.failed += 1; });
  socket.once('close', () => { if (attack.again && performance.now() < until) setTimeout(begin, 5); });
  // A socket that is not read does not tell of its end either: in the end the deaf listen, and hear of it.
  if (attack.deaf) {
    socket.pause();
    setTimeout(() => socket.on('data', hear).resume(), until - performance.now() + Number(patience) * 600);
  }
  else socket.on('data', (bytes) => hear(bytes));
}

const all = Number(count ?? attack.connections);
for (let i = 0; i < all; i += 1) {
  begin();
  if (i % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
}
console.log('begun');
const over = setInterval(() => {
  const waits = result.open > 0 || result.opened + result.failed < (attack.again ? 1 : all);
  if (performance.now() < until && (attack.again || waits)) return;
  if (performance.now() < until + Number(patience) * 1000 && waits) return;
  clearInterval(over);
  console.log(JSON.stringify(result));
  process.exit(0);
}, 20);
