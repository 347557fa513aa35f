/** Branches, signals and children under faults: killed workers, lost, doubled and reordered messages, cut connections. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const GRACE_MS = 15_000;
const WIDTH = 5;
const PARTS = Array.from({ length: WIDTH }, (_, i) => `part ${i}`);
const NUMBERS = Array.from({ length: WIDTH }, (_, i) => i);

let world: World;
let kills = 0;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(async () => {
  await world.settle();
  kills = world.worker.kills;
});
afterAll(() => world?.stop());

const steps = (id: string) => world.ledger.of(id).map(({ step }) => step);
const completed = async (id: string) =>
  (await world.journal(id)).filter(({ outcome }) => outcome === "completed").map(({ key }) => key);
const branches = () =>
  world.database.rows<{ key: string; turn: number }>("select key, turn from pawl.branches");
const children = (id: string) =>
  world.database.rows<{ id: string; status: string }>(
    "select id, status from pawl.runs where parent_id = $1 order by input ->> 'number'",
    [id],
  );
const killOnce = () => {
  if (world.worker.kills === kills) world.worker.kill();
};
const killAt = (
  on: "claim branches" | "commit branches" | "commit" | "signal" | "cancel",
  when: "before" | "after",
) =>
  world.gateway.inject({
    on,
    when,
    act: () => {
      world.worker.kill();
      return "cut";
    },
  });

/** Moves the clock over the grace and ticks until none of the runs is live. */
async function tickUntilOver(ids: readonly string[]): Promise<void> {
  for (let ticks = 0; ; ticks++) {
    const live = (await world.runs(ids)).filter(({ status }) =>
      ["ready", "running", "waiting"].includes(status),
    );
    if (live.length === 0) return;
    expect(ticks).toBeLessThan(60);
    await world.database.moveClock(GRACE_MS + 1);
    await world.worker.tick();
    await eventually("nothing is held any more", async () => {
      const held = `select 1 from pawl.runs where lease_expires_at is not null
        union all select 1 from pawl.branches where lease_expires_at is not null`;
      return (await world.database.rows(held)).length === 0;
    });
  }
}

describe("kill -9", () => {
  test("between the claim of branches and their steps costs a lease, and each step happens once", async () => {
    const fault = killAt("claim branches", "after");
    const id = await world.start("fan", { width: WIDTH });
    await fault.injected;
    await world.worker.restart();
    expect(steps(id)).toEqual([]);
    expect((await branches()).length).toBe(WIDTH);
    await world.expireLeases();
    expect(await world.reaches(id, "completed")).toMatchObject({ output: NUMBERS });
    expect(steps(id).sort()).toEqual(PARTS);
    expect((await completed(id)).sort()).toEqual(PARTS);
  });

  test("after the effect of a branch runs it again under its idempotency key, and journals it once", async () => {
    world.ledger.onEffect = ({ step }) => {
      if (step === "part 2") killOnce();
    };
    const id = await world.start("fan", { width: WIDTH });
    await eventually("the worker is killed", () => world.worker.kills > kills);
    await world.worker.restart();
    await world.expireLeases();
    expect(await world.reaches(id, "completed")).toMatchObject({ output: NUMBERS });
    const twice = world.ledger.of(id).filter(({ step }) => step === "part 2") as [Effect, Effect];
    expect(twice).toHaveLength(2);
    expect(twice[1].idempotencyKey).toBe(twice[0].idempotencyKey);
    expect(twice[1].attempt).toBe(twice[0].attempt);
    expect((await completed(id)).sort()).toEqual(PARTS);
  });

  test("before an outcome is delivered costs a lease", async () => {
    const fault = killAt("commit branches", "before");
    const id = await world.start("fan", { width: WIDTH });
    await fault.injected;
    await world.worker.restart();
    await world.expireLeases();
    expect(await world.reaches(id, "completed")).toMatchObject({ output: NUMBERS });
    expect((await completed(id)).sort()).toEqual(PARTS);
  });

  test("after an outcome is delivered and before the wake-up repeats nothing, and the sweep goes on", async () => {
    const fault = killAt("commit branches", "after");
    const id = await world.start("fan", { width: 2 });
    await fault.injected;
    world.broker.reset();
    await world.worker.restart();
    await world.expireLeases();
    expect(await world.reaches(id, "completed")).toMatchObject({ output: [0, 1] });
    expect((await completed(id)).sort()).toEqual(["part 0", "part 1"]);
  });

  test("after a commit that forks and before its wake-ups leaves the branches to the sweep", async () => {
    const fault = killAt("commit", "after");
    const id = await world.start("fan", { width: WIDTH });
    await fault.injected;
    await world.worker.restart();
    expect((await branches()).map(({ turn }) => turn)).toEqual(PARTS.map(() => 0));
    await world.database.moveClock(GRACE_MS + 1);
    await world.worker.tick();
    expect(await world.reaches(id, "completed")).toMatchObject({ output: NUMBERS });
    expect(steps(id).sort()).toEqual(PARTS);
  });

  test("while a parent is told of its child leaves it told or tells it again (F8)", async () => {
    let commits = 0;
    const fault = world.gateway.inject({
      on: "commit",
      when: "after",
      times: 2,
      // The second commit is the child's: the parent is told and has no wake-up.
      act: () => {
        commits += 1;
        if (commits < 2) return undefined;
        world.worker.kill();
        return "cut";
      },
    });
    const id = await world.start("parent", { children: 1 });
    await eventually("the worker is killed", () => world.worker.kills > kills);
    expect(fault.count).toBe(2);
    world.broker.reset();
    await world.worker.restart();
    await world.database.moveClock(GRACE_MS + 1);
    await world.worker.tick();
    expect(await world.reaches(id, "completed")).toMatchObject({ output: [0] });
  });

  test("while a cancel goes through a family cancels all of it or nothing (G7)", async () => {
    for (const when of ["before", "after"] as const) {
      world.broker.pause();
      const hold = gate<Effect>();
      world.ledger.onEffect = (effect) => hold.pass(effect);
      const id = await world.start("parent", { children: WIDTH });
      world.broker.resume();
      await eventually("the children are under way", () => hold.arrivals.length === WIDTH);
      const fault = killAt("cancel", when);
      await expect(world.worker.post(`/api/runs/${id}/cancel`)).rejects.toThrow();
      expect(fault.count).toBe(1);
      hold.open();
      await world.worker.restart({ paused: true });
      const status = (await world.run(id)).status;
      const their = (await children(id)).map((child) => child.status);
      expect([status, ...their]).toEqual(
        when === "after" ? Array(WIDTH + 1).fill("cancelled") : ["waiting", ...Array(WIDTH).fill("running")],
      );
      expect(await world.worker.post(`/api/runs/${id}/cancel`)).toMatchObject({ status: 200 });
      world.broker.reset();
      world.broker.resume();
      expect((await children(id)).map((child) => child.status)).toEqual(Array(WIDTH).fill("cancelled"));
      kills = world.worker.kills;
    }
  });
});

describe("a queue that", () => {
  test("loses every message: branches, signals, children and compensation finish by ticks alone", async () => {
    world.broker.deliveries = () => {
      const sweeping = world.gateway.answered.at(-1)?.verb;
      return ["collect", "collect branches", "tick", "reclaim", "reclaim branches", "match"].includes(
        sweeping ?? "",
      )
        ? 1
        : 0;
    };
    world.ledger.onEffect = ({ step, runId }) =>
      step === "confirm" && runId === failing ? { fail: "full" } : undefined;
    let failing = "";
    const fan = await world.start("fan", { width: WIDTH });
    const family = await world.start("grandparent");
    const trip = await world.start("trip");
    failing = await world.start("trip");
    const counter = await world.start("follower");
    expect(await world.worker.post(`/api/runs/${trip}/signals/checked%20out`, {})).toMatchObject({
      status: 202,
    });
    await tickUntilOver([fan, family, trip, failing, counter]);
    expect((await world.runs([fan, family, trip, failing, counter])).map(({ status }) => status)).toEqual([
      ...["completed", "completed", "completed", "failed", "completed"],
    ]);
    expect(await world.run(family)).toMatchObject({ output: [0, 10] });
    expect(await world.run(trip)).toMatchObject({ output: "home" });
    expect(await world.run(counter)).toMatchObject({ output: 4 });
    expect(steps(fan).sort()).toEqual(PARTS);
    expect(steps(failing).slice(-3).sort()).toEqual(["undo car", "undo flight", "undo hotel"]);
    for (const { runId, step } of world.ledger.effects) {
      expect([step, world.ledger.of(runId).filter((effect) => effect.step === step).length]).toEqual([
        step,
        1,
      ]);
    }
  });

  test("doubles and reorders all messages: each branch and child runs once", async () => {
    const old: unknown[] = [];
    let sent = 0;
    world.broker.deliveries = () => {
      sent += 1;
      return 1 + (sent % 3);
    };
    world.broker.arrange = (waiting) => {
      old.push(...waiting);
      return [...waiting.reverse(), ...old.slice(-2)];
    };
    const ids = [await world.start("fan", { width: 20 }), await world.start("parent", { children: 10 })];
    await world.allReach(ids, "completed");
    expect(steps(ids[0] ?? "")).toHaveLength(20);
    const its = (await children(ids[1] ?? "")).map(({ id }) => steps(id));
    expect(its).toEqual(Array.from({ length: 10 }, (_, i) => [`child ${i}`]));
  });

  test("brings old wake-ups of branches that are over: they do nothing", async () => {
    const late: unknown[] = [];
    world.broker.deliveries = (body) => {
      late.push(body);
      return 1;
    };
    const id = await world.start("fan", { width: WIDTH });
    const before = await world.reaches(id, "completed");
    const wakeUps = late.filter((body) => (body as { branch?: string }).branch !== undefined);
    expect(wakeUps).toHaveLength(WIDTH);
    expect((await world.broker.deliver(wakeUps)).explicitAcks).toHaveLength(WIDTH);
    expect(await world.run(id)).toEqual(before);
    expect(steps(id)).toHaveLength(WIDTH);
  });
});

describe.for(["before", "after"] as const)("a connection that is cut %s the commit", (when) => {
  test("of outcomes: each is delivered once, and the run goes on at once", async () => {
    const fault = world.gateway.inject({ on: "commit branches", when, times: 2, act: () => "cut" });
    const id = await world.start("fan", { width: WIDTH });
    expect(await world.reaches(id, "completed")).toMatchObject({ output: NUMBERS, lost_turns: 0 });
    expect(fault.count).toBe(2);
    expect(steps(id).sort()).toEqual(PARTS);
    expect((await completed(id)).sort()).toEqual(PARTS);
  });

  test("of a failed attempt of a branch: it is tried again once", async () => {
    let failures = 0;
    world.ledger.onEffect = ({ step }) =>
      step === "item 0" && failures++ === 0 ? { fail: "once" } : undefined;
    const fault = world.gateway.inject({ on: "commit branches", when, times: 2, act: () => "cut" });
    const id = await world.start("mapped", { items: 2, concurrency: 2 });
    expect(await world.reaches(id, "completed")).toMatchObject({ output: [0, 2] });
    expect(fault.count).toBe(2);
    expect(steps(id).sort()).toEqual(["item 0", "item 0", "item 1"]);
    const attempts = (await world.journal(id)).map(
      ({ key, outcome, attempt }) => `${key} ${outcome} ${attempt}`,
    );
    expect(attempts.filter((line) => line.includes("retrying"))).toHaveLength(1);
  });

  test("of a turn that forks or starts children: they begin once", async () => {
    const fault = world.gateway.inject({ on: "commit", when, times: 1, act: () => "cut" });
    const ids = [
      await world.start("fan", { width: WIDTH }),
      await world.start("parent", { children: WIDTH }),
    ];
    await fault.injected;
    await eventually("both have branched out", async () =>
      (await world.runs(ids)).every(({ status }) => status !== "ready" && status !== "running"),
    );
    await tickUntilOver(ids);
    await world.allReach(ids, "completed");
    expect(steps(ids[0] ?? "").sort()).toEqual(PARTS);
    expect(await children(ids[1] ?? "")).toHaveLength(WIDTH);
  });

  test("of a signal: sent again under its id it arrives once (F4)", async () => {
    const id = await world.start("trip");
    await eventually("the trip waits", async () => (await world.run(id)).current_step === "checked out");
    const fault = world.gateway.inject({ on: "signal", when, act: () => "cut" });
    const send = () => world.worker.post(`/api/runs/${id}/signals/checked%20out`, { id: "once" });
    expect(await send()).toMatchObject({ status: 503 });
    expect(fault.count).toBe(1);
    const again = await send();
    // The first may have been taken, and the run be over.
    expect([202, 409]).toContain(again.status);
    await tickUntilOver([id]);
    expect(await world.reaches(id, "completed")).toMatchObject({ output: "home" });
    expect((await completed(id)).filter((key) => key === "checked out")).toHaveLength(1);
  });

  test("of a cancel of a family: asked again it answers, and each run is cancelled once", async () => {
    const hold = gate<Effect>();
    world.ledger.onEffect = (effect) => hold.pass(effect);
    const id = await world.start("parent", { children: WIDTH });
    await eventually("the children are under way", () => hold.arrivals.length === WIDTH);
    const fault = world.gateway.inject({ on: "cancel", when, act: () => "cut" });
    expect(await world.worker.post(`/api/runs/${id}/cancel`)).toMatchObject({ status: 503 });
    expect(fault.count).toBe(1);
    expect(await world.worker.post(`/api/runs/${id}/cancel`)).toMatchObject({ status: 200 });
    hold.open();
    const rows = await world.database.rows<{ status: string; turn: number }>(
      "select status, turn from pawl.runs",
    );
    expect(rows).toHaveLength(WIDTH + 1);
    expect(new Set(rows.map(({ status, turn }) => `${status} ${turn}`))).toEqual(new Set(["cancelled 2"]));
    await eventually("the late turns are refused", () => world.gateway.count("read back") > 0);
    expect(await world.database.rows("select from pawl.journal")).toEqual([]);
  });
});

test("fifty children that end at once wake their parent, which gets each once (F5)", async () => {
  const hold = gate<Effect>();
  world.ledger.onEffect = (effect) => hold.pass(effect);
  const id = await world.start("parent", { children: 50 });
  await eventually("the children are under way", () => hold.arrivals.length === 50);
  hold.open();
  const run = await world.reaches(id, "completed");
  expect(run.output).toEqual(Array.from({ length: 50 }, (_, i) => i * 10));
  expect((await completed(id)).length).toBe(50);
  expect(await world.database.rows("select from pawl.deliveries")).toEqual([]);
});

test("however a child ends, its parent is told (F6)", async () => {
  const hold = gate<Effect>();
  world.ledger.onEffect = async (effect) => {
    if (effect.step === "child 0") return undefined;
    if (effect.step === "child 1") return { fail: "no luck" };
    return hold.pass(effect);
  };
  const id = await world.start("parent", { children: 5 });
  await eventually("three are under way", () => hold.arrivals.length === 3);
  const [, , cancelled, lost, deleted] = await children(id);
  await world.worker.post(`/api/runs/${cancelled?.id}/cancel`);
  await world.database.rows(
    "update pawl.runs set lost_turns = 7, lease_expires_at = now() - interval '1 s' where id = $1",
    [lost?.id],
  );
  await world.database.rows("delete from pawl.runs where id = $1", [deleted?.id]);
  // A sweep passes over a row that another one holds, and finds it at the next tick.
  await tickUntilOver([id]);
  const run = await world.reaches(id, "completed");
  hold.open();
  expect(run.output).toMatchObject([
    0,
    { status: "failed", cause: expect.stringContaining("no luck") },
    { status: "cancelled" },
    { status: "dead", cause: expect.stringContaining("lost 8 turns") },
    { status: "dead", cause: "The run was deleted." },
  ]);
});

test("cancelling a run ends its branches, and their late outcomes write nothing (G1, G6)", async () => {
  const hold = gate<Effect>();
  world.ledger.onEffect = (effect) => hold.pass(effect);
  const id = await world.start("fan", { width: 3 });
  await eventually("the branches are under way", () => hold.arrivals.length === 3);
  await world.worker.post(`/api/runs/${id}/cancel`);
  const before = await world.run(id);
  expect(before).toMatchObject({ status: "cancelled" });
  hold.open();
  await eventually("the late outcomes are refused", () => world.gateway.count("commit branches") > 0);
  expect(await world.run(id)).toEqual(before);
  expect([await world.journal(id), await branches()]).toEqual([[], []]);
  expect(await world.database.rows("select from pawl.deliveries")).toEqual([]);
});
