/**
 * Lives here: gRPC health: whether the driver is there for callers, of the
 * service `` (all of the daemon) and of the driver's. Does not know: why not.
 */
import type { Server } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { NetworkDriverDefinition } from '../shared/gen/vnet/v1/network_driver.js';
import type { Log } from './log.js';

/** How often a driver is asked how it is, in milliseconds. */
const askEveryMs = 30_000;

const services = ['', NetworkDriverDefinition.fullName];

/** Tells how the daemon is. */
export class Health {
  readonly #served: HealthImplementation[] = [];
  #stopped = false;
  #lacks: readonly string[] = [];

  /** Puts the health service on a server. */
  addTo(server: Server): void {
    const health = new HealthImplementation(Object.fromEntries(services.map((name) => [name, this.#word])));
    health.addToServer(server);
    this.#served.push(health);
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
    for (const health of this.#served) for (const name of services) health.setStatus(name, this.#word);
  }
}
