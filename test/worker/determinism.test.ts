/** What workerd makes of workflows whose code does not repeat. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

/** From this step on a run's function is kept: see `runtime/warm-runs.ts`. */
const KEPT = 20;

interface Warning {
  readonly event: string;
  readonly message: string;
  readonly workflow: string;
  readonly version: number;
  readonly call: string;
  readonly remedy: string;
  /** Where it was called, the innermost first. */
  readonly at: readonly string[];
}

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(async () => {
  await world.settle();
  // What was told once is told again by a new isolate.
  await world.worker.restart();
});
afterAll(() => world?.stop());

const warnings = (): Warning[] =>
  world.worker.logs
    .filter((line) => line.startsWith('{"event":"nondeterministic_call"'))
    .map((line) => JSON.parse(line) as Warning);

/** What was told so far: logs come in order, so once this last warning is there, so are all before it. */
async function told(): Promise<string[]> {
  const last = await world.start("lapsing", { steps: 1, at: 1 });
  await world.reaches(last, "completed");
  const texts = () => warnings().map(({ workflow, call }) => `${workflow}: ${call}`);
  await eventually("the last warning is there", () => texts().includes("lapsing: Math.random()"));
  return texts().filter((text) => !text.startsWith("lapsing"));
}

test.each([
  ["Date.now()", "step.now()"],
  ["new Date()", "step.now()"],
  ["Date()", "step.now()"],
  ["performance.now()", "step.now()"],
  ["Math.random()", "step.random()"],
  ["crypto.getRandomValues()", "step.random()"],
  ["crypto.randomUUID()", "step.uuid()"],
  ["setTimeout()", "step.sleep()"],
  ["setInterval()", "step.sleep()"],
  ["scheduler.wait()", "step.sleep()"],
  ["fetch()", "step.run()"],
])("%s outside a step is warned of once, however often runs come to it", async (call, remedy) => {
  const runs = await world.startMany("careless", [
    { calls: [call], steps: 3 },
    { calls: [call], steps: 2 },
  ]);
  await world.allReach(runs, "completed");
  expect(await told()).toEqual([`careless: ${call}`]);
  const [warning] = warnings();
  expect(warning).toMatchObject({ workflow: "careless", version: 1, call, remedy });
  expect(warning?.message).toBe(
    `Workflow "careless" version 1 called ${call} outside a step. ` +
      `Every replay calls it again, and may get something else. Use ${remedy}.`,
  );
  expect(warning?.at[0]).toMatch(/^at .*worker\.mjs/);
});

test("a call is heard where a library has kept the function for itself", async () => {
  const id = await world.start("careless", { calls: ["a kept crypto.randomUUID()"], steps: 1 });
  await world.reaches(id, "completed");
  expect(await told()).toEqual(["careless: crypto.randomUUID()"]);
});

test("a function that goes on warm is warned of what it calls in a later invocation", async () => {
  const steps = KEPT + 20;
  const id = await world.start("lapsing", { steps, at: KEPT + 10 });
  await world.reaches(id, "completed");
  const claims = world.gateway.answered.filter(({ verb }) => verb === "claim");
  const known = claims.map(({ queries }) => JSON.parse(queries[0]?.params[0] as string)[0]?.after);
  expect(known).toContain(KEPT + 9);
  await eventually("the warning is there", () => warnings().length > 0);
  expect(warnings()).toMatchObject([{ workflow: "lapsing", call: "Math.random()" }]);
});

test("a function that makes a call in every turn, warm or replayed, is warned of it once", async () => {
  const id = await world.start("careless", { calls: ["Date.now()", "fetch()"], steps: KEPT + 20 });
  await world.reaches(id, "completed");
  expect(await told()).toEqual(["careless: Date.now()", "careless: fetch()"]);
});

test("steps, maps, transactions, compensators, schemas and values are not warned of", async () => {
  const id = await world.start("careful");
  await world.waitsFor(id, "go");
  await world.worker.post(`/api/runs/${id}/signals/go`, { payload: 1 });
  expect(await world.reaches(id, "failed")).toMatchObject({
    failure: { message: "fails, so that the body is undone, after 3 values" },
  });
  const keys = (await world.journal(id)).map(({ key }) => key);
  expect(keys).toContain("body#compensation");
  expect(await told()).toEqual([]);
});

test("runs in one isolate at the same time are not taken for each other", async () => {
  const careless = Array.from({ length: 10 }, () => ({ calls: ["crypto.randomUUID()"], steps: 5 }));
  const idle = Array.from({ length: 10 }, () => ({ steps: 5 }));
  const runs = [await world.startMany("careless", careless), await world.startMany("idle", idle)].flat();
  await world.allReach(runs, "completed");
  expect(await told()).toEqual(["careless: crypto.randomUUID()"]);
});

describe("a run that comes to rest with nothing to wait for is dead within moments", () => {
  test.each([
    ["a timer", "Outside a step its code last called setTimeout()."],
    ["scheduler", "Outside a step its code last called scheduler.wait()."],
    ["I/O", "Outside a step its code last called fetch()."],
    ["a promise of its own", "it awaits something that is not a step. Wrap timers"],
  ])("where it awaits %s", async (what, told) => {
    world.ledger.onEffect = () => new Promise(() => {});
    const id = await world.start("stalling", { for: what });
    const { failure } = await world.reaches(id, "dead");
    expect(failure).toMatchObject({ code: "workflow_stalled", message: expect.stringContaining(told) });
    expect(await world.journal(id)).toMatchObject([{ key: "before", outcome: "completed" }]);
  });

  test("where it awaits the step of another run", async () => {
    const first = await world.start("stalling", { for: "the step of another run" });
    await world.waitsFor(first, "go");
    const second = await world.start("stalling", { for: "the step of another run" });
    expect(await world.reaches(second, "dead")).toMatchObject({ failure: { code: "workflow_stalled" } });
  });
});
