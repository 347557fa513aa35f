import { ulid } from "ulid";
import { expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import { IdempotencyConflict } from "../../../src/engine/refusals.ts";
import type { Bed } from "../support/bed.ts";
import { DAY, decision, HOUR, MINUTE, newRun, only, ref } from "../support/builders.ts";

export function startRunsSuite(bed: () => Bed): void {
  test("a run starts ready and due now, with all that was asked for", async () => {
    const { store, see } = bed();
    const asked = newRun({ tags: ["red", "vip"], idempotencyKey: "order 7", deadlineInMs: HOUR });
    const { run, created, wakeInMs } = only(await store.startRuns("default", [asked]));
    expect({ created, wakeInMs }).toEqual({ created: true, wakeInMs: 0 });
    expect(run).toMatchObject({
      tenant: "default",
      runId: asked.id,
      workflow: "ship",
      version: 1,
      status: "ready",
      turn: 0,
      lostTurns: 0,
      stepsDone: 0,
      tags: ["red", "vip"],
      idempotencyKey: "order 7",
      startedAt: null,
      leaseExpiresAt: null,
      finishedAt: null,
      deadlineAt: run.createdAt + HOUR,
      wakeAt: run.createdAt,
    });
    expect(await see(run)).toEqual({ ...run, input: asked.input, output: null });
  });

  test("no runs are a list of no runs", async () => {
    expect(await bed().store.startRuns("default", [])).toEqual([]);
  });

  test("the answers come in the order of the question", async () => {
    const { store } = bed();
    const runs = ["m", "a", "z", "c"].map((key) => newRun({ idempotencyKey: key }));
    const before = await store.startRuns("default", runs.slice(2));
    const started = await store.startRuns(
      "default",
      runs.map((run) => ({ ...run, id: ulid() })),
    );
    expect(started.map(({ run }) => run.idempotencyKey)).toEqual(["m", "a", "z", "c"]);
    expect(started.map(({ created }) => created)).toEqual([true, true, false, false]);
    expect(started.slice(2).map(({ run }) => run.runId)).toEqual(before.map(({ run }) => run.runId));
  });

  test("a delay, a time to start and a deadline decide when a run is first due", async () => {
    const { store } = bed();
    const { now } = await bed().reads.health();
    const soon = Math.floor(now) + HOUR;
    const started = await store.startRuns("default", [
      newRun({ delayMs: HOUR }),
      newRun({ startAt: soon }),
      newRun({ startAt: soon - 2 * HOUR }),
      newRun({ delayMs: 2 * HOUR, deadlineAt: soon }),
      newRun({ delayMs: 2 * HOUR, deadlineInMs: HOUR }),
    ]);
    const due = started.map(({ run, wakeInMs }) => [(run.wakeAt ?? 0) - run.createdAt, wakeInMs]);
    const exactly = soon - (started[0]?.run.createdAt ?? 0);
    expect(due).toEqual([
      [HOUR, expect.closeTo(HOUR, -3)],
      [exactly, expect.closeTo(exactly, -3)],
      [0, 0],
      [exactly, expect.closeTo(exactly, -3)],
      [HOUR, expect.closeTo(HOUR, -3)],
    ]);
  });

  test("a deadline that has passed makes the run due at once, so that it can fail by it", async () => {
    const { store, claim } = bed();
    const { now } = await bed().reads.health();
    const { run, wakeInMs } = only(await store.startRuns("default", [newRun({ deadlineAt: now - MINUTE })]));
    expect(wakeInMs).toBe(0);
    expect(await claim(run)).toMatchObject({ deadlineAt: run.deadlineAt });
  });

  test("the same key and input find the same run, whatever has become of it", async () => {
    const { store, claim } = bed();
    const asked = newRun({ idempotencyKey: "once" });
    const first = only(await store.startRuns("default", [asked]));
    const again = async () => only(await store.startRuns("default", [{ ...asked, id: ulid() }]));
    expect(await again()).toEqual({ ...first, created: false });
    const claimed = await claim(first.run);
    expect(await again()).toMatchObject({ run: { runId: asked.id, status: "running" }, created: false });
    await store.commitTurns([decision(claimed, { status: "completed" })]);
    expect(await again()).toMatchObject({ run: { runId: asked.id, status: "completed" }, created: false });
  });

  test("the same id is the same run: a start whose answer was lost may be tried again", async () => {
    const { store, reads } = bed();
    const asked = newRun({ idempotencyKey: "once", tags: ["red"] });
    await store.startRuns("default", [asked]);
    expect(await store.startRuns("default", [asked])).toMatchObject([
      { run: { runId: asked.id }, created: false },
    ]);
    expect(await reads.runs("default", {}, 10, null)).toHaveLength(1);
  });

  test("equal inputs are equal however their keys are ordered", async () => {
    const { store } = bed();
    const first = newRun({ idempotencyKey: "once", input: encode({ a: 1, bb: [1, 2] }, "x") });
    const second = newRun({ idempotencyKey: "once", input: encode({ bb: [1, 2], a: 1 }, "x") });
    await store.startRuns("default", [first]);
    expect(await store.startRuns("default", [second])).toMatchObject([{ created: false }]);
  });

  test.each([
    ["another value", { order: 8 }, { order: 7 }],
    ["null instead of an object", null, { order: 7 }],
    ["a date instead of its text", new Date(0), new Date(0).toJSON()],
  ])("a key with another input is a conflict that names the run: %s", async (_, now, then) => {
    const { store } = bed();
    const first = newRun({ idempotencyKey: "once", input: encode(then, "x") });
    await store.startRuns("default", [first]);
    const clash = store.startRuns("default", [newRun({ idempotencyKey: "once", input: encode(now, "x") })]);
    await expect(clash).rejects.toThrow(new IdempotencyConflict("once", first.id));
  });

  test("a batch with one conflict starts none", async () => {
    const { store, reads } = bed();
    await store.startRuns("default", [newRun({ idempotencyKey: "taken" })]);
    const batch = [
      newRun({ idempotencyKey: "a", tags: ["red"] }),
      newRun({ idempotencyKey: "taken", input: encode("other", "x") }),
      newRun({ tags: ["red"] }),
    ];
    await expect(store.startRuns("default", batch)).rejects.toThrow(IdempotencyConflict);
    expect(await reads.runs("default", {}, 10, null)).toHaveLength(1);
    expect(await reads.runs("default", { tags: ["red"] }, 10, null)).toEqual([]);
  });

  test("a key that one batch names twice has one run", async () => {
    const { store } = bed();
    const twice = [newRun({ idempotencyKey: "once" }), newRun({ idempotencyKey: "once" })];
    const started = await store.startRuns("default", twice);
    expect(started.map(({ created }) => created).sort()).toEqual([false, true]);
    expect(new Set(started.map(({ run }) => run.runId)).size).toBe(1);
  });

  test("the same key is another run's in another workflow and in another tenant (H12)", async () => {
    const { store } = bed();
    const key = { idempotencyKey: "once" };
    const started = [
      ...(await store.startRuns("default", [newRun(key), newRun({ ...key, workflow: "bill" })])),
      ...(await store.startRuns("other", [newRun({ ...key, input: encode("other", "x") })])),
    ];
    expect(started.map(({ created }) => created)).toEqual([true, true, true]);
  });

  test("a tag given twice is one tag", async () => {
    const { start, reads } = bed();
    const run = await start({ tags: ["red", "red"] });
    expect((await reads.runs("default", { tags: ["red"] }, 10, null)).map(ref)).toEqual([run]);
  });

  test("a run that starts far ahead has no wake-up under way, and a sweep sends it", async () => {
    const { start, store, moveClock } = bed();
    const run = await start({ delayMs: 3 * DAY });
    await start({ delayMs: HOUR });
    await moveClock(3 * DAY - HOUR / 2);
    const { due } = await store.collectDueRuns(10, 7 * DAY, HOUR);
    expect(due.map(ref)).toEqual([run]);
  });

  test("awkward texts stay as they are in keys, tags and names", async () => {
    const { start, see, reads } = bed();
    const odd = `a'b"c\\d{e},f%_$1 \u{1F600}\u202E`;
    const run = await start({ workflow: odd, tags: [odd, "", "null", " "], idempotencyKey: odd });
    expect(await see(run)).toMatchObject({
      workflow: odd,
      tags: [odd, "", "null", " "],
      idempotencyKey: odd,
    });
    expect(await reads.runs("default", { workflow: odd, tags: [odd] }, 10, null)).toHaveLength(1);
  });
}
