import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

/** Longer than a wake-up may be under way. */
const GRACE_MS = 15_001;

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const performed = (id: string) => world.ledger.of(id).map(({ step }) => step);
const append = (id: string, key: string, steps: readonly object[]) =>
  world.worker.post(`/api/runs/${id}/steps`, { gate: "gate", steps }, { "mutation-key": key });
const open = (id: string, payload: unknown = "opened") =>
  world.worker.post(`/api/runs/${id}/signals/gate`, { payload });

const grow = (name: string, ...after: readonly string[]) => ({ name, handler: "grow", payload: name, after });

test("the sides of a diamond run beside each other, each in an invocation of its own", async () => {
  const both = gate<string>();
  world.ledger.onEffect = ({ step }) => {
    if (step !== "left" && step !== "right") return {};
    const passed = both.pass(step);
    if (both.arrivals.length === 2) both.open({});
    return passed;
  };
  const id = await world.start("tree", { n: 7 });
  await open(id);
  const run = await world.reaches(id, "completed");
  expect(run.output).toMatchObject({
    gate: { status: "completed", output: "opened" },
    bottom: { output: { from: ["gate", "left", "right", "top"], n: 7, gate: "opened" } },
    sweep: { status: "completed" },
  });
  const effects = world.ledger.of(id);
  expect(performed(id)[0]).toBe("top");
  expect(performed(id).at(-1)).toBe("sweep");
  expect(new Set(effects.map(({ invocation }) => invocation)).size).toBe(effects.length);
  const state = await world.database.rows("select key, value from pawl.run_state where run_id = $1", [id]);
  expect(state).toEqual([{ key: "stage", value: "sides" }]);
});

test("steps that are appended over HTTP wake the run and are done, once, after what they wait for", async () => {
  const id = await world.start("tree", { n: 1 });
  await world.reaches(id, "waiting");
  expect(await append(id, "m-1", [grow("b", "a", "left"), grow("a", "top")])).toMatchObject({ status: 201 });
  expect(await append(id, "m-2", [grow("held", "gate")])).toMatchObject({ status: 201 });
  await world.reaches(id, "waiting");
  expect(performed(id)).not.toContain("grow held");
  await open(id);
  const run = await world.reaches(id, "completed");
  expect(run.output).toMatchObject({
    a: { output: "grow a" },
    b: { output: "grow b" },
    held: { output: "grow held" },
  });
  const done = performed(id);
  expect(done.indexOf("grow a")).toBeLessThan(done.indexOf("grow b"));
  expect(new Set(done).size).toBe(done.length);
  expect(await append(id, "m-2", [grow("held", "gate")])).toMatchObject({ status: 200 });
  expect(await append(id, "m-3", [grow("late")])).toMatchObject({ status: 409 });
});

test("an append whose answer was lost is there, and asking again says so", async () => {
  const id = await world.start("tree", { n: 1 });
  world.gateway.inject({ on: "mutation", when: "after", act: () => "cut" });
  expect(await append(id, "m-1", [grow("a")])).toMatchObject({ status: 503 });
  expect(await append(id, "m-1", [grow("a")])).toMatchObject({ status: 200 });
  await open(id);
  // The wake-up went with the answer; the sweep sends it again.
  await world.database.moveClock(GRACE_MS);
  await world.worker.tick();
  expect((await world.reaches(id, "completed")).output).toMatchObject({ a: { status: "completed" } });
  expect(performed(id).filter((step) => step === "grow a")).toHaveLength(1);
});

test("a worker that is killed while appended steps run performs them again, and the graph ends", async () => {
  const held = gate<string>();
  world.ledger.onEffect = ({ step }) => (step === "grow a" ? held.pass(step) : {});
  const id = await world.start("tree", { n: 1 });
  await append(id, "m-1", [grow("a"), grow("b", "a")]);
  await held.reached;
  world.worker.kill();
  held.open({});
  await world.worker.restart();
  await world.expireLeases();
  await open(id);
  const run = await world.reaches(id, "completed");
  expect(run.output).toMatchObject({ a: { status: "completed" }, b: { status: "completed" } });
  expect(performed(id).filter((step) => step === "grow b")).toHaveLength(1);
});

test("when a step fails the rest runs to its end, and then what was done is undone", async () => {
  world.ledger.onEffect = ({ step }) => (step === "right" ? { fail: "no right" } : {});
  const id = await world.start("tree", { n: 1 });
  await open(id);
  const run = await world.reaches(id, "failed");
  expect(run.failure).toMatchObject({ code: "step_failed", step: "right" });
  const done = performed(id);
  expect(done.slice(-3)).toEqual(["sweep", "undo left", "undo top"]);
});

test("a paused graph takes what is appended and opened meanwhile when it is resumed", async () => {
  const id = await world.start("tree", { n: 1 });
  await world.reaches(id, "waiting");
  await world.database.store.pauseRun({ tenant: "default", runId: id });
  expect(await append(id, "m-1", [grow("a")])).toMatchObject({ status: 201 });
  await open(id);
  expect(await world.run(id)).toMatchObject({ status: "paused" });
  await world.database.store.resumeRun({ tenant: "default", runId: id });
  await world.database.moveClock(GRACE_MS);
  await world.worker.tick();
  expect((await world.reaches(id, "completed")).output).toMatchObject({ a: { status: "completed" } });
});
