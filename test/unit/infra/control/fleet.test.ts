import { expect, it } from 'vitest';
import { wanted } from '#test/contract/registry.ts';
import { withOffice } from './control-office.ts';

it('tells of agents, and of the fleet in figures', () =>
  withOffice(async (office) => {
    const { registry } = office;
    await office.drive(registry.put(wanted('a', { framesPerSecond: 5.1 })));
    await office.drive(registry.put(wanted('b', { framesPerSecond: 30.2 })));
    await office.drive(registry.put(wanted('c', { enabled: false })));
    const empty = await office.ask('GET', '/v1/agents');
    expect(empty).toMatchObject({ status: 200, body: { agents: [] } });
    const agent = office.open('north');
    const profile = { agentId: 'north', camerasMax: 2, framesPerSecondMax: 20 };
    const { session } = await office.drive(agent.join(profile, 0));
    const beat = { session, epochMs: 0, revision: 0, share: 2, gives: [], live: [] };
    await office.drive(agent.beat(beat));
    const { body } = await office.ask('GET', '/v1/agents');
    expect(body.agents).toEqual([
      {
        ...{ id: 'north', session, cameras: 1, camerasMax: 2 },
        ...{ framesPerSecond: 5.1, framesPerSecondMax: 20, seenAgeMs: expect.any(Number) },
      },
    ]);
    const fleet = await office.ask('GET', '/v1/fleet');
    expect(fleet).toMatchObject({ status: 200 });
    expect(fleet.body).toEqual({
      cameras: {
        total: 3,
        byState: { starting: 1, unplaced: 1, disabled: 1 },
        framesPerSecondWanted: 35.3,
      },
      agents: {
        ...{ total: 1, cameras: 1, camerasMax: 2 },
        ...{ framesPerSecond: 5.1, framesPerSecondMax: 20 },
      },
      unplaced: [{ id: 'b', why: '1 agent has no room for 30.2 frames/s' }],
    });
  }));

it('says what it cannot do', () =>
  withOffice(async (office) => {
    expect(await office.ask('POST', '/v1/fleet')).toMatchObject({
      ...{ status: 405, body: { detail: '/v1/fleet takes no POST.' } },
    });
    expect(await office.ask('DELETE', '/v1/agents')).toMatchObject({
      ...{ status: 405, body: { advice: 'It takes GET, HEAD.' } },
    });
  }));
