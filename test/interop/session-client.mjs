/**
 * Lives here: a client in a process of its own that connects, watches, and
 * says so, for tests that stop it. Does not know: anything else.
 *
 *     node session-client.mjs URI
 */
const { openConnection } = await import(new URL('../../dist/client/index.js', import.meta.url).href);

const connection = await openConnection(process.argv[2]);
for await (const { kind } of connection.watch()) console.log(kind);
