import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const HOUR = 3_600_000;
const MINUTE = 60_000;
type Mode = "broadcast" | "competing" | "direct";

/** Runs that have subscribed and wait. */
async function listeners(count: number, mode: Mode, messages = 1, channel = "news"): Promise<string[]> {
  const ids = await Promise.all(
    Array.from({ length: count }, () => world.start("listener", { channel, mode, messages })),
  );
  for (const id of ids) await waits(id);
  return ids;
}

/** Resolves once the run is parked for a message. */
const waits = (id: string) =>
  eventually(`run ${id} waits`, async () => {
    const [row] = await world.database.rows(
      "select from pawl.runs r join pawl.waits w on w.run_id = r.id where r.id = $1 and r.status = 'waiting' and w.kind = 'message'",
      [id],
    );
    return row !== undefined;
  });

const tell = (payload: unknown, more: Record<string, unknown> = {}, channel = "news") =>
  world.worker.post(`/api/channels/${encodeURIComponent(channel)}/messages`, { payload, ...more });

/** An hour, and the grace after which the tick sends the wake-up again that the queue still holds back. */
async function timePasses(): Promise<void> {
  await world.database.moveClock(HOUR + MINUTE);
  await world.worker.tick();
}

const outputs = async (ids: readonly string[]) =>
  Promise.all(ids.map(async (id) => (await world.reaches(id, "completed")).output));

describe("messages from outside", () => {
  test("reach every subscriber of a broadcast, in their order", async () => {
    const ids = await listeners(3, "broadcast", 2);
    const answer = await tell("one");
    expect(answer).toEqual({ status: 202, body: { id: expect.any(String) } });
    await tell({ two: 2 });
    expect(await outputs(ids)).toEqual([1, 2, 3].map(() => ["one", { two: 2 }]));
    expect(await world.database.rows("select from pawl.subscriptions")).toEqual([]);
  });

  test("of one id arrive once", async () => {
    const [id = ""] = await listeners(1, "broadcast", 2);
    for (const payload of ["a", "again"]) {
      expect(await tell(payload, { id: "once" })).toEqual({ status: 202, body: { id: "once" } });
    }
    await tell("b");
    expect(await outputs([id])).toEqual([["a", "b"]]);
  });

  test("are refused where the mode does not fit", async () => {
    const [id = ""] = await listeners(1, "direct");
    expect(await tell("to nobody")).toMatchObject({
      status: 409,
      body: { error: { code: "channel_mode_conflict" } },
    });
    expect((await tell("to you", { to: id })).status).toBe(202);
    expect(await outputs([id])).toEqual([["to you"]]);
  });
});

describe("messages between runs", () => {
  test("40 competing messages reach 4 readers, each of them one", async () => {
    const ids = await listeners(4, "competing", 10);
    const payloads = Array.from({ length: 20 }, (_, i) => i);
    await world.startMany("publisher", [
      { channel: "news", payloads },
      { channel: "news", payloads: payloads.map((i) => i + 20) },
    ]);
    const read = (await outputs(ids)).flat() as number[];
    expect(read.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  test("a question finds whoever answers, and the answer finds who asked", async () => {
    const answerer = await world.start("answerer", { questions: 3 });
    await waits(answerer);
    const ids = await world.startMany("asker", ["a", "b", "c"]);
    expect(await outputs(ids)).toEqual(["a!", "b!", "c!"]);
    await world.reaches(answerer, "completed");
  });

  test("a step that uses a channel in another mode fails at once, by name", async () => {
    await listeners(1, "competing", 1);
    const id = await world.start("clasher", { channel: "news", mode: "broadcast" });
    expect(await outputs([id])).toEqual([
      [
        1,
        "channel_mode_conflict",
        'Channel "news" is competing, so it cannot be used as broadcast: a channel keeps the mode of its first subscriber.',
      ],
    ]);
  });

  test("who receives without having subscribed fails by name instead of waiting for ever", async () => {
    const id = await world.start("deaf");
    const { failure } = await world.reaches(id, "failed");
    expect(failure?.message).toContain("The run is not subscribed to that channel.");
  });

  test("a wait that times out gives null, and the next one reads on", async () => {
    const id = await world.start("patient");
    await waits(id);
    await timePasses();
    await eventually("it waits again", async () => {
      const [row] = await world.database.rows("select from pawl.waits where key = 'receive slow#2'");
      return row !== undefined;
    });
    await tell("late", {}, "slow");
    expect(await outputs([id])).toEqual([[null, "late"]]);
  });
});

describe("a message that races with the wait for it", () => {
  /** A listener that is about to wait. */
  async function aboutToWait(): Promise<{ id: string; go: () => void }> {
    const held = gate<Effect>();
    world.ledger.onEffect = (effect) => held.pass(effect);
    const id = await world.start("listener", { channel: "news", mode: "broadcast", messages: 1 });
    await held.reached;
    return { id, go: () => held.open() };
  }

  test("is found when it was published between the subscription and the wait", async () => {
    const { id, go } = await aboutToWait();
    await tell("early");
    go();
    expect(await outputs([id])).toEqual([["early"]]);
  });

  test("is found when it is published while the commit that parks the run is under way", async () => {
    const { id, go } = await aboutToWait();
    const { injected } = world.gateway.inject({
      on: "commit",
      when: "before",
      act: async () => {
        await tell("before the commit");
        return undefined;
      },
    });
    go();
    await injected;
    expect(await outputs([id])).toEqual([["before the commit"]]);
  });

  test("is found when it is published right after that commit, which then dies", async () => {
    const { id, go } = await aboutToWait();
    const { injected } = world.gateway.inject({
      on: "match",
      when: "before",
      act: async () => {
        await tell("after the commit");
        return "cut" as const;
      },
    });
    go();
    await injected;
    expect(await outputs([id])).toEqual([["after the commit"]]);
  });

  test("is brought by the tick when whoever published it died", async () => {
    const [id = ""] = await listeners(1, "broadcast");
    // What its own turn asks for, once it waits, is over.
    await world.worker.idle();
    const fault = world.gateway.inject({ on: "match", when: "before", act: () => "cut" });
    expect((await tell("orphan")).status).toBe(202);
    expect(fault.count).toBe(1);
    expect((await world.run(id)).status).toBe("waiting");
    await world.worker.tick();
    expect(await outputs([id])).toEqual([["orphan"]]);
  });

  test("goes to another reader when the one that it was brought to is cancelled", async () => {
    const [first = "", second = ""] = await listeners(2, "competing");
    world.broker.pause();
    await tell("work");
    const [brought] = await world.database.rows<{ run_id: string }>("select run_id from pawl.deliveries");
    const other = brought?.run_id === first ? second : first;
    await world.worker.post(`/api/runs/${brought?.run_id}/cancel`);
    world.broker.resume();
    await world.worker.tick();
    expect(await outputs([other])).toEqual([["work"]]);
  });
});

test("the tick deletes messages that are older than the retention", async () => {
  await tell("old");
  await world.database.moveClock(13 * 24 * HOUR);
  await world.worker.tick();
  expect(await world.database.rows("select from pawl.messages")).toHaveLength(1);
  await world.database.moveClock(25 * HOUR);
  await world.worker.tick();
  expect(await world.database.rows("select from pawl.messages")).toEqual([]);
});

describe("groups", () => {
  /** Members that wait. */
  async function crew(count: number): Promise<string[]> {
    const ids = await world.startMany(
      "sailor",
      Array.from({ length: count }, () => null),
    );
    await world.allReach(ids, "waiting");
    return ids;
  }

  test("a signal to a group reaches every member, and who has left gets none", async () => {
    const ids = await crew(3);
    const { status, body } = await world.worker.get("/api/groups/crew");
    expect(status).toBe(200);
    expect((body as { members: { id: string }[] }).members.map(({ id }) => id)).toEqual([...ids].sort());
    const path = "/api/groups/crew/signals/go";
    expect(await world.worker.post(path, { payload: "sail" })).toEqual({
      status: 202,
      body: { signalled: 3 },
    });
    await eventually("all have left", async () => {
      const rows = await world.database.rows("select from pawl.run_groups");
      return rows.length === 0;
    });
    expect(await world.worker.post(path, { payload: "again" })).toEqual({
      status: 202,
      body: { signalled: 0 },
    });
    await timePasses();
    expect(await outputs(ids)).toEqual([1, 2, 3].map(() => ["sail", null]));
  });

  test("the end of a run takes it out of its groups", async () => {
    const [id = ""] = await crew(1);
    await world.worker.post(`/api/runs/${id}/cancel`);
    expect(await world.worker.get("/api/groups/crew")).toEqual({
      status: 200,
      body: { members: [], nextCursor: null },
    });
  });
});
