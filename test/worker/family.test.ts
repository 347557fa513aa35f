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

describe("children", () => {
  test("a parent gets what each of its children returned", async () => {
    const id = await world.start("parent", { children: 12 });
    const run = await world.reaches(id, "completed");
    expect(run.output).toEqual(Array.from({ length: 12 }, (_, i) => i * 10));
    const children = await world.database.rows<{ status: string }>(
      "select status from pawl.runs where parent_id = $1",
      [id],
    );
    expect(children.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => "completed"));
  });

  test("the failure of a child can be caught, with the child's own failure as its cause", async () => {
    world.ledger.onEffect = ({ step }) => (step === "child 1" ? { fail: "no luck" } : {});
    const id = await world.start("parent", { children: 3 });
    expect((await world.reaches(id, "completed")).output).toEqual([
      0,
      { status: "failed", cause: expect.stringContaining("no luck") },
      20,
    ]);
  });

  test("a child that is cancelled on its own tells its parent", async () => {
    const held = gate<Effect>();
    world.ledger.onEffect = (effect) => (effect.step === "child 0" ? held.pass(effect) : undefined);
    const id = await world.start("parent", { children: 1 });
    const { runId } = await held.reached;
    expect((await world.worker.post(`/api/runs/${runId}/cancel`)).status).toBe(200);
    expect((await world.reaches(id, "completed")).output).toMatchObject([{ status: "cancelled" }]);
    held.open();
  });

  test("cancelling a run cancels its descendants, and only the awaited ones", async () => {
    const held = gate<Effect>();
    world.ledger.onEffect = (effect) => (effect.step.startsWith("child") ? held.pass(effect) : undefined);
    const id = await world.start("grandparent");
    await held.reached;
    await world.worker.post(`/api/runs/${id}/cancel`);
    const rows = await world.database.rows<{ status: string }>("select status from pawl.runs");
    expect(rows).toHaveLength(4);
    expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(["cancelled"]));
    held.open();
  });

  test("a detached run goes on by itself", async () => {
    const id = await world.start("launcher");
    const child = (await world.reaches(id, "completed")).output as string;
    expect(await world.reaches(child, "completed")).toMatchObject({
      output: 70,
      parent_id: id,
      parent_key: null,
      tags: ["launched"],
    });
  });
});

describe("compensation", () => {
  test("a run that fails undoes what it did, the last step that completed first, one to a turn", async () => {
    world.ledger.onEffect = ({ step }) => (step === "confirm" ? { fail: "fully booked" } : {});
    const id = await world.start("trip");
    const run = await world.reaches(id, "failed");
    expect(run.failure).toMatchObject({ code: "step_failed", step: "confirm" });
    const journal = await world.journal(id);
    const booked = journal
      .filter(({ key }) => key?.startsWith("book") && !key.includes("#"))
      .map(({ key }) => key);
    const undone = journal.filter(({ kind }) => kind === "compensation");
    expect(undone.map(({ key }) => key)).toEqual(booked.toReversed().map((key) => `${key}#compensation`));
    expect(new Set(undone.map(({ turn }) => turn)).size).toBe(3);
    expect(world.ledger.of(id).filter(({ step }) => step.startsWith("undo"))).toHaveLength(3);
  });

  test("a compensator that fails for good is recorded, and the others go on", async () => {
    world.ledger.onEffect = ({ step }) =>
      step === "confirm"
        ? { fail: "fully booked" }
        : step === "undo hotel" || step === "undo car"
          ? { fail: "gone" }
          : {};
    const id = await world.start("trip");
    await world.reaches(id, "waiting");
    for (let i = 0; i < 6; i++) await world.expireLeases();
    const run = await world.reaches(id, "failed");
    expect(run).toMatchObject({ failed_compensations: 2, failure: { step: "confirm" } });
    const undone = (await world.journal(id)).filter(
      ({ kind, outcome }) => kind === "compensation" && outcome !== "retrying",
    );
    expect(undone.map(({ outcome }) => outcome).toSorted()).toEqual(["completed", "failed", "failed"]);
  });

  test("cancelling with compensation undoes first, and is cancelled then", async () => {
    const id = await world.start("trip");
    await world.waitsFor(id, "checked out");
    const { status } = await world.worker.post(`/api/runs/${id}/cancel`, { compensate: true });
    expect(status).toBe(200);
    await world.reaches(id, "cancelled");
    expect(world.ledger.of(id).filter(({ step }) => step.startsWith("undo"))).toHaveLength(3);
  });

  test("cancelling with compensation lets the steps under way end, and undoes them too", async () => {
    const held = gate<Effect>();
    world.ledger.onEffect = (effect) =>
      effect.step === "book flight" || effect.step === "book car" ? held.pass(effect) : undefined;
    const id = await world.start("trip");
    await eventually("both are being booked", () => held.arrivals.length === 2);
    await world.worker.post(`/api/runs/${id}/cancel`, { compensate: true });
    expect(await world.run(id)).toMatchObject({ phase: "compensating" });
    held.open();
    await world.reaches(id, "cancelled");
    const undone = world.ledger.of(id).filter(({ step }) => step.startsWith("undo"));
    expect(undone.map(({ step }) => step).sort()).toEqual(["undo car", "undo flight", "undo hotel"]);
  });
});

describe("at most once", () => {
  test("a body that was cut off is never run again by itself: a person says that it was done", async () => {
    const held = gate<Effect>();
    world.ledger.onEffect = (effect) => held.pass(effect);
    const id = await world.start("charge");
    await held.reached;
    world.worker.kill();
    held.open();
    await world.worker.restart();
    await world.expireLeases();
    await eventually("nobody knows whether it charged", async () =>
      (await world.journal(id)).some(({ outcome }) => outcome === "unknown"),
    );
    expect(await world.journal(id)).toHaveLength(1);
    const { status } = await world.worker.post(`/api/runs/${id}/steps/charge/resolve`, {
      outcome: "done",
      output: "receipt 7",
    });
    expect(status).toBe(202);
    expect((await world.reaches(id, "completed")).output).toBe("receipt 7");
    expect(world.ledger.of(id)).toHaveLength(1);
  });
});

test("a step that sends no heartbeat for as long as it may fails by that name, though it never ends (D10)", async () => {
  const held = gate<Effect>();
  world.ledger.onEffect = (effect) => held.pass(effect);
  const id = await world.start("mute");
  expect((await world.reaches(id, "failed")).failure).toMatchObject({
    step: "mute",
    cause: { code: "heartbeat_missed" },
  });
  held.open();
});

test("a race between a step and a sleep is won by whichever is over first", async () => {
  const held = gate<Effect>();
  world.ledger.onEffect = (effect) => held.pass(effect);
  const id = await world.start("race", { ms: 60_000 });
  await held.reached;
  await world.database.moveClock(61_000);
  world.broker.hurry();
  expect((await world.reaches(id, "completed")).output).toBe("out of time");
  held.open();
});

test("a run that goes on as another leaves a chain, and its parent hears of the last", async () => {
  const id = await world.start("follower");
  expect((await world.reaches(id, "completed")).output).toBe(4);
  const chain = await world.database.rows<{ id: string; continued_to: string | null; status: string }>(
    "select * from pawl.runs where workflow = 'counter' order by id",
  );
  expect(chain).toHaveLength(4);
  expect(chain.map(({ status }) => status)).toEqual(Array.from({ length: 4 }, () => "completed"));
  expect(chain.map(({ continued_to }) => continued_to)).toEqual([
    ...chain.slice(1).map(({ id }) => id),
    null,
  ]);
});

test("the time, chance and a UUID are the same in every replay, and the state shows how far a run is", async () => {
  const id = await world.start("dice");
  const run = await world.reaches(id, "completed");
  const values = await world.database.rows<{ key: string; output: unknown }>(
    "select key, output from pawl.journal where run_id = $1 and kind = 'value' order by seq",
    [id],
  );
  expect(values.map(({ key }) => key)).toEqual(["now", "random", "uuid"]);
  expect(run.output).toEqual({ time: values[0]?.output, random: values[1]?.output, uuid: values[2]?.output });
  const state = await world.database.rows(
    "select key, value from pawl.run_state where run_id = $1 order by key",
    [id],
  );
  expect(state).toEqual([
    { key: "log", value: [{ at: values[0]?.output }, "again"] },
    { key: "phase", value: "rolled" },
  ]);
});
