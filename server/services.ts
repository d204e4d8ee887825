/**
 * Lives here: which gRPC services a client finds: the driver, sessions,
 * health and reflection. Does not know: sockets.
 */
import type { Calls } from './calls.js';
import type { Connections } from './connections.js';
import { callerOf, createDispatch } from './dispatch.js';
import { Health } from './health.js';
import type { Welcome } from './late.js';
import type { Furnish } from './listen.js';
import { openReflection } from './reflection.js';
import { createSessions, type Reached } from './session/attach.js';
import { sessionLimits, type SessionLimits } from './session/limits.js';

/** What to put on each server: the driver, sessions, health, reflection. */
export function furnishing(calls: Calls, connections: Connections, health = new Health(), limits: SessionLimits = sessionLimits, reached?: Reached): Furnish {
  const welcome: Welcome = async (call, name) => calls.welcome(callerOf(calls, connections, call)(), name);
  const reflect = openReflection(welcome);
  // Whoever can open a socket of this host may know whether anybody is behind it.
  const welcomeLocally: Welcome = async (call, name) => {
    const caller = callerOf(calls, connections, call)();
    if (!caller.connection.listener.startsWith('unix')) await calls.welcome(caller, name);
  };
  return (server) => {
    const { definition, implementation } = createDispatch(calls, connections);
    server.addService(definition, implementation);
    const sessions = createSessions(calls, connections, limits, reached);
    server.addService(sessions.definition, sessions.implementation);
    reflect(server);
    health.addTo(server, welcomeLocally);
  };
}
