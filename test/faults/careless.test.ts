/** Step bodies that take the CPU, forget what they began, and throw where nobody catches. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const LEASE_MS = 600_000;
const BACKOFF_AND_GRACE_MS = 90_000;

let world: World;

beforeAll(async () => {
  world = await createWorld({ PAWL_LEASE_MS: String(LEASE_MS) });
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const stepsOf = (id: string) => world.ledger.of(id).map(({ step }) => step);

test("a step that never gives the CPU back loses its lease, and is done by another worker (A8)", async () => {
  const { worker, ledger, database } = world;
  const other = await world.secondWorker();
  ledger.onEffect = () => (ledger.effects.length === 1 ? { spin: true } : {});
  try {
    const id = await world.start("spinning");
    await eventually("the step has begun", () => ledger.effects.length === 1);
    await database.moveClock(LEASE_MS + 1);
    await other.tick();
    expect(await world.run(id)).toMatchObject({ status: "ready", turn: 2, lost_turns: 1 });
    await database.moveClock(BACKOFF_AND_GRACE_MS);
    await other.tick();
    expect(await world.reaches(id, "completed")).toMatchObject({ turn: 3, lost_turns: 0 });
    const [first, second] = ledger.of(id);
    expect(second?.idempotencyKey).toBe(first?.idempotencyKey);
    expect(await world.journal(id)).toMatchObject([{ key: "spin", outcome: "completed", turn: 3 }]);
    expect(ledger.effects).toHaveLength(2);
  } finally {
    worker.kill();
    await worker.restart();
  }
});

test("what a body began and did not wait for may be lost with the worker: no state depends on it (A8)", async () => {
  const door = gate<Effect>();
  world.ledger.onEffect = (effect) => (effect.step === "forgotten" ? door.pass(effect) : door.reached);
  const id = await world.start("forgetful");
  const { turn } = await world.reaches(id, "completed");
  expect(door.arrivals.length).toBeGreaterThan(0);
  world.worker.kill();
  await world.worker.restart();
  await world.expireLeases();
  expect(await world.run(id)).toMatchObject({ status: "completed", turn });
});

test("rejections that nobody handles end no attempt and no other run (A9)", async () => {
  world.ledger.onEffect = ({ runId, step }) =>
    step === "forgotten"
      ? { fail: "Nobody hears this." }
      : eventually(
          "the other effect is there",
          () => step !== "awaited" || stepsOf(runId).includes("forgotten"),
        );
  const ids = await world.startMany(
    "forgetful",
    Array.from({ length: 10 }, () => null),
  );
  const neighbour = await world.start("count", { steps: 3 });
  await world.allReach([...ids, neighbour], "completed");
  for (const id of ids) expect(stepsOf(id)).toContain("forgotten");
});

test("a listener that throws when its step is stopped fails the attempt and nothing else (A9)", async () => {
  const door = gate<Effect>();
  world.ledger.onEffect = (effect) =>
    effect.step === "awaited" && effect.attempt === 1 ? door.pass(effect) : undefined;
  const id = await world.start("forgetful");
  expect(await world.reaches(id, "completed")).toMatchObject({ output: "done" });
  expect(door.arrivals).toHaveLength(1);
  const [first, ...rest] = await world.database.rows(
    "select outcome, failure ->> 'code' as code from pawl.journal where run_id = $1 order by seq",
    [id],
  );
  expect(first).toEqual({ outcome: "retrying", code: "step_timed_out" });
  expect(rest.at(-1)).toEqual({ outcome: "completed", code: null });
});
