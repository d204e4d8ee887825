/**
 * Lives here: gRPC health: whether the driver is there for callers, of the
 * service `` (all of the daemon) and of the driver's. Does not know: why not.
 */
import { createRequire } from 'node:module';
import type { Server } from '@grpc/grpc-js';
import type { HealthImplementation } from 'grpc-health-check';
import { NetworkDriverDefinition } from '../shared/gen/vnet/v1/network_driver.js';
import { openLate, takeServices, type LateService, type Welcome } from './late.js';
import type { Log } from './log.js';

/** How often a driver is asked how it is, in milliseconds. */
const askEveryMs = 30_000;

const services = ['', NetworkDriverDefinition.fullName];

/** The methods of grpc.health.v1.Health. */
const methods = {
  Check: { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false },
  List: { path: '/grpc.health.v1.Health/List', requestStream: false, responseStream: false },
  Watch: { path: '/grpc.health.v1.Health/Watch', requestStream: false, responseStream: true },
};

/** Tells how the daemon is. */
export class Health {
  #loaded: HealthImplementation | undefined;
  #service: LateService | undefined;
  #stopped = false;
  #lacks: readonly string[] = [];

  /** Puts the health service on a server, for those who are welcome. */
  addTo(server: Server, welcome: Welcome): void {
    const { definition, implementation } = openLate(methods, () => this.#load(), welcome);
    server.addService(definition, implementation);
  }

  #load(): LateService {
    if (this.#service !== undefined) return this.#service;
    const { HealthImplementation: Implementation } = createRequire(import.meta.url)('grpc-health-check') as typeof import('grpc-health-check');
    const health = this.#loaded = new Implementation(Object.fromEntries(services.map((name) => [name, this.#word])));
    return this.#service = takeServices((server) => health.addToServer(server))[0]!;
  }

  /** From now on nobody is served. */
  stop(): void {
    this.#stopped = true;
    this.#tell();
  }

  /**
   * Follows how the driver is. While it lacks something it does not serve.
   *
   * @param found what it lacked when it was opened, which the log has told
   * @param ask what it lacks, each a sentence
   * @returns ends it
   */
  follow(found: readonly string[], ask: () => Promise<readonly string[]>, log: Log, everyMs = askEveryMs): () => void {
    const look = async () => {
      const lacks = await ask().catch((error: unknown) => [`it cannot be told how the driver is: ${(error as Error).message}`]);
      const before = this.#lacks;
      this.#lacks = lacks;
      for (const sentence of lacks) if (!before.includes(sentence)) log.warn({}, `health: ${sentence}`);
      if (before.length > 0 && lacks.length === 0) log.info({}, 'health: nothing is lacking any more');
      this.#tell();
    };
    this.#lacks = found;
    this.#tell();
    const timer = setInterval(() => void look(), everyMs).unref();
    return () => clearInterval(timer);
  }

  get #word(): 'SERVING' | 'NOT_SERVING' {
    return this.#stopped || this.#lacks.length > 0 ? 'NOT_SERVING' : 'SERVING';
  }

  #tell(): void {
    for (const name of services) this.#loaded?.setStatus(name, this.#word);
  }
}
