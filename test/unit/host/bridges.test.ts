/** Bridges of many networks made in one call of ip: what one of them cannot have is its own error. */
import { describe, expect, it } from 'vitest';
import type { NetworkPlan } from '../../../server/driver/host.js';
import { openBridges } from '../../../server/host/bridges.js';
import { CommandError, type Commands } from '../../../server/host/command.js';
import { parseNetwork } from '../../../shared/definition/index.js';
import { ErrorCode } from '../../../shared/errors.js';

function plan(n: number, more = ''): NetworkPlan {
  const { definition } = parseNetwork(`<network><name>n${n}</name><uuid>4b6bd1a5-3c5e-4f0e-9f12-00000000000${n}</uuid>
    <bridge name='b${n}' stp='off'/><ip address='10.7.${n}.1' prefix='24'/>${more}</network>`);
  return { uuid: definition.uuid!, name: `n${n}`, bridge: `b${n}`, definition };
}

/** An ip that refuses the first line that has one of these texts. */
function ip(...refused: string[]): Commands & { calls: string[][] } {
  const calls: string[][] = [];
  return {
    calls,
    require: async () => undefined,
    read: async () => '',
    follow: () => Promise.reject(new Error('nothing is followed')),
    run: async (tool, argv, { input } = {}) => {
      const lines = input === undefined ? [argv.join(' ')] : input.trim().split('\n');
      calls.push(lines);
      const line = lines.findIndex((text) => refused.some((word) => text.includes(word)));
      if (line >= 0) throw new CommandError(tool, `RTNETLINK answers: File exists\nCommand failed -:${line + 1}`);
    },
  };
}

const outcomes = async (commands: Commands, plans: NetworkPlan[]) => {
  const bridges = openBridges(commands);
  return Promise.allSettled(plans.map((each) => bridges.raise(each)));
};

describe('bridges that are made at once', () => {
  it('are made in one call', async () => {
    const commands = ip();
    await outcomes(commands, [plan(1), plan(2)]);
    expect(commands.calls).toHaveLength(1);
    expect(commands.calls[0]!.filter((line) => line.startsWith('link add'))).toHaveLength(2);
  });

  it('leave out the one whose name is taken, and say so to it alone', async () => {
    const commands = ip('link add name b2');
    const results = await outcomes(commands, [plan(1), plan(2), plan(3)]);
    expect(results).toMatchObject([{ status: 'fulfilled' }, { status: 'rejected', reason: { code: ErrorCode.SYSTEM_ERROR } }, { status: 'fulfilled' }]);
    expect((results[1] as PromiseRejectedResult).reason.message).toContain("cannot create bridge 'b2' of network 'n2': File exists");
    // What stood already is not touched, and the others are not made twice.
    expect(commands.calls.flat().some((line) => line.includes('delete'))).toBe(false);
    expect(commands.calls[1]!.every((line) => line.includes('b3'))).toBe(true);
  });

  it('remove the one that was made but could not be marked', async () => {
    const commands = ip('link set dev b1 alias');
    expect((await outcomes(commands, [plan(1), plan(2)])).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(commands.calls).toContainEqual(['link delete dev b1 type bridge']);
  });

  it('are addressed in a second call if any of them has IPv6, and in none where that was not to be', async () => {
    const six = plan(1, "<ip family='ipv6' address='fd00:7::1' prefix='64'/>");
    const commands = ip('link add name b2', 'addr add 10.7.3.1');
    const results = await outcomes(commands, [six, plan(2), plan(3), plan(4)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    const addressed = commands.calls.flat().filter((line) => line.startsWith('addr add') && !line.includes('b3'));
    expect([...new Set(addressed)]).toEqual(['addr add 10.7.1.1/24 broadcast 10.7.1.255 dev b1', 'addr add fd00:7::1/64 dev b1 nodad', 'addr add 10.7.4.1/24 broadcast 10.7.4.255 dev b4']);
  });
});
