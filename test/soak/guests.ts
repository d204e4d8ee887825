/**
 * Lives here: guests that come to a network and go, some of them without
 * taking their leave, and whether those that are there have a network. Does
 * not know: calls of others.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { askForLease, writeLeaseScript } from '../lab/guest.js';
import { inNamespace, runProgram } from '../lab/place.js';
import { until } from '../processes.js';
import type { Actor } from './actor.js';
import type { Random } from './random.js';
import { guestSite } from './sites.js';

interface Guest {
  /** Its namespace. */
  name: string;
  port: string;
  /** It has had a lease. */
  leased: boolean;
  /** Its namespace is gone, with its end of the cable. */
  vanished: boolean;
}

const mostGuests = 3;

/** How many MAC addresses they take turns with. */
const macs = 60;

/** How long a guest may wait for an answer of its gateway, in milliseconds. */
const reachableMs = 15_000;

/** Guests of one network. */
export class Guests {
  private guests: Guest[] = [];
  private count = 0;
  /** How many came in all. */
  get came(): number {
    return this.count;
  }

  constructor(private readonly actor: Actor, private readonly random: Random, private readonly folder: string) {}

  /** One comes, goes or vanishes. */
  async move(): Promise<void> {
    if (this.guests.length === 0 || (this.guests.length < mostGuests && this.random.chance(0.5))) return this.arrive();
    const guest = this.random.pick(this.guests);
    if (guest.vanished || this.random.chance(0.7)) return this.leave(guest);
    guest.vanished = true;
    await runProgram('ip', ['netns', 'delete', guest.name]);
  }

  /** Forgets guests whose ports are not there after all. To be called when nothing is being done. */
  async settle(): Promise<void> {
    const ports = this.actor.model.likely[guestSite.name]?.ports ?? [];
    for (const guest of this.guests.filter(({ port }) => !ports.includes(port))) await this.forget(guest);
    for (const port of ports.filter((one) => !this.guests.some((guest) => guest.port === one))) await this.actor.act({ kind: 'detach', site: guestSite, port });
  }

  /** Every guest has an address and reaches the host. @throws Error if one does not */
  async check(): Promise<void> {
    await Promise.all(this.guests.filter(({ vanished }) => !vanished).map(async (guest) => {
      if (!guest.leased) await askForLease(guest.name, join(this.folder, 'dhcp', guest.name));
      guest.leased = true;
      const [program, ...argv] = inNamespace(guest.name, 'ping', '-c', '1', '-W', '1', `${guestSite.subnet}.1`);
      await until(`guest ${guest.name} reaches its network`, async () => runProgram(program, argv), reachableMs).catch(async (error: Error) => {
        throw new Error(`${error.message}; it has: ${(await runProgram('ip', ['-n', guest.name, '-br', 'addr'])).trim().replaceAll(/\s+/g, ' ')}`, { cause: error });
      });
    }));
  }

  /** All go. */
  async close(): Promise<void> {
    for (const guest of [...this.guests]) await this.leave(guest);
  }

  private async arrive(): Promise<void> {
    const number = this.count += 1;
    const guest: Guest = {
      name: `soak${number}`, leased: false, vanished: false,
      port: `50ac50ac-3333-4000-8000-${String(number).padStart(10, '0')}${(number % macs + 16).toString(16)}`,
    };
    const files = join(this.folder, 'dhcp', guest.name);
    await mkdir(files, { recursive: true });
    await writeLeaseScript(files);
    await runProgram('ip', ['netns', 'add', guest.name]);
    this.guests.push(guest);
    const { answer } = await this.actor.act({ kind: 'attach', site: guestSite, port: guest.port, netns: guest.name });
    if (!this.mayBeThere(guest)) await this.forget(guest);
    else if (answer === 'ok') await runProgram('ip', ['-n', guest.name, 'link', 'set', 'lo', 'up']);
  }

  private async leave(guest: Guest): Promise<void> {
    const { answer } = await this.actor.act({ kind: 'detach', site: guestSite, port: guest.port });
    if (answer === 'ok') await this.forget(guest);
  }

  private mayBeThere({ port }: Guest): boolean {
    return this.actor.model.mayBe((world) => world[guestSite.name]?.ports.includes(port) === true);
  }

  private async forget(guest: Guest): Promise<void> {
    this.guests = this.guests.filter((one) => one !== guest);
    if (!guest.vanished) await runProgram('ip', ['netns', 'delete', guest.name]);
  }
}
