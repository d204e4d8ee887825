/**
 * Lives here: a DHCPv6 client that asks once, for tests: none is installed
 * everywhere. Prints the address that it was given. Does not know: the lab.
 *
 *     node dhcp6-client.mjs INTERFACE MAC
 */
import { createSocket } from 'node:dgram';

const [device, mac] = process.argv.slice(2);
const option = (code, content) => {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(code, 0);
  head.writeUInt16BE(content.length, 2);
  return Buffer.concat([head, content]);
};
const clientId = option(1, Buffer.from(`00030001${mac.replaceAll(':', '')}`, 'hex'));
const elapsed = option(8, Buffer.alloc(2));
const transaction = Buffer.from([1, 2, 3]);
const message = (type, ...options) => Buffer.concat([Buffer.from([type]), transaction, clientId, elapsed, ...options]);

/** The options of a message, or within one. */
function read(bytes) {
  const found = new Map();
  for (let at = 0; at + 4 <= bytes.length; at += 4 + bytes.readUInt16BE(at + 2)) found.set(bytes.readUInt16BE(at), bytes.subarray(at + 4, at + 4 + bytes.readUInt16BE(at + 2)));
  return found;
}

const identity = Buffer.alloc(12);
identity.writeUInt32BE(0x01020304);
const socket = createSocket('udp6');
let next = message(1, option(3, identity));
const send = () => socket.send(next, 547, `ff02::1:2%${device}`, () => undefined);
socket.on('message', (bytes) => {
  const options = read(bytes.subarray(4));
  const address = read((options.get(3) ?? Buffer.alloc(12)).subarray(12)).get(5);
  if (bytes[0] === 2) {
    next = message(3, option(2, options.get(2)), option(3, options.get(3)));
    send();
  }
  if (bytes[0] === 7 && address !== undefined) {
    console.log([...Array(8).keys()].map((i) => address.readUInt16BE(i * 2).toString(16)).join(':'));
    process.exit(0);
  }
});
socket.bind(546, () => {
  send();
  setInterval(send, 500);
});
setTimeout(() => process.exit(1), 15_000);
