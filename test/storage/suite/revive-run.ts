import { describe, expect, test } from "vitest";
import type { Bed } from "../support/bed.ts";
import { boom, decision, entry, failedEntry, HOUR, LEASE, MINUTE, only, ref } from "../support/builders.ts";
import { newBranch } from "../support/family.ts";

export function reviveRunSuite(bed: () => Bed): void {
  describe.each(["failed", "dead"] as const)("a %s run", (status) => {
    const deadLetter = async (fields = {}) => {
      const run = await bed().startAndClaim(fields);
      const entries = [entry(1), failedEntry(2)];
      await bed().store.commitTurns([decision(run, { status, entries, currentStep: "step 2" })]);
      return run;
    };

    test("is ready and due again, in a new turn and with its journal", async () => {
      const { store, see, claim } = bed();
      const run = await deadLetter();
      expect(await store.reviveRun(run)).toEqual({ result: "revived", due: [{ ...ref(run), wakeInMs: 0 }] });
      expect(await see(run)).toMatchObject({
        status: "ready",
        turn: 2,
        lostTurns: 0,
        failure: null,
        finishedAt: null,
        discardedAt: null,
        stepsDone: 1,
      });
      const { turn, journal } = await claim(run);
      expect(turn).toBe(3);
      expect(journal.map(({ key, outcome }) => [key, outcome])).toEqual([
        ["step 1", "completed"],
        ["step 2", "failed"],
        [null, "revived"],
      ]);
      expect(journal[2]).toMatchObject({ seq: 3, kind: "revival", failure: boom, retryAt: null });
    });

    test("leaves the list of dead letters, also when it had been discarded", async () => {
      const { store, reads } = bed();
      const run = await deadLetter();
      await store.discardRun(run);
      await store.reviveRun(run);
      expect(await reads.deadLetters("default", {}, 10, null)).toEqual([]);
    });

    test("has no deadline any more once it has passed, and keeps one that is to come", async () => {
      const { store, see, moveClock, claim } = bed();
      const run = await deadLetter({ deadlineInMs: HOUR });
      await store.reviveRun(run);
      expect((await see(run)).deadlineAt).toBe(run.deadlineAt);
      await store.commitTurns([decision(await claim(run), { status })]);
      await moveClock(HOUR);
      await store.reviveRun(run);
      expect((await see(run)).deadlineAt).toBeNull();
    });

    test("can be revived time and again", async () => {
      const { store, claim, journaled } = bed();
      const run = await deadLetter();
      for (let i = 0; i < 3; i++) {
        expect(await store.reviveRun(run)).toEqual({
          result: "revived",
          due: [{ ...ref(run), wakeInMs: 0 }],
        });
        await store.commitTurns([decision(await claim(run), { status })]);
      }
      expect(await journaled(run)).toEqual(["step 1", "step 2", null, null, null]);
    });

    test("goes on with a sleep that had begun", async () => {
      const { startAndClaim, store, claim, moveClock } = bed();
      const run = await startAndClaim();
      const timers = [{ key: "nap", due: { inMs: HOUR } }];
      await store.commitTurns([decision(run, { timers })]);
      await store.commitTurns([decision(await claim(run), { status })]);
      await moveClock(MINUTE);
      await store.reviveRun(run);
      const revived = await claim(run);
      expect(revived.timers).toEqual([
        { key: "nap", begunAt: expect.any(Number), dueAt: expect.closeTo(run.now + HOUR, -4) },
      ]);
    });

    test("is not stuck when its sleep was over long ago", async () => {
      const { startAndClaim, store, claim, moveClock, stuckRuns } = bed();
      const run = await startAndClaim();
      const timers = [{ key: "nap", due: { inMs: MINUTE } }];
      await store.commitTurns([decision(run, { timers })]);
      await store.commitTurns([decision(await claim(run), { status })]);
      await moveClock(HOUR);
      await store.reviveRun(run);
      expect(await stuckRuns()).toEqual([]);
    });

    test("asked for twice at once is revived once", async () => {
      const { store, journaled, see } = bed();
      const run = await deadLetter();
      const answers = await Promise.all([1, 2, 3, 4].map(() => store.reviveRun(run)));
      expect(answers.map(({ result }) => result).sort()).toEqual(["ready", "ready", "ready", "revived"]);
      expect(await journaled(run)).toEqual(["step 1", "step 2", null]);
      expect(await see(run)).toMatchObject({ turn: 2 });
    });
  });

  test("a run that lost its turns starts with none lost", async () => {
    const { startAndClaim, store, moveClock, claim } = bed();
    const run = await startAndClaim();
    await moveClock(LEASE);
    await store.reclaimLeases(10, 1);
    expect(await store.reviveRun(run)).toEqual({ result: "revived", due: [{ ...ref(run), wakeInMs: 0 }] });
    const revived = await claim(run);
    expect(only(revived.journal)).toMatchObject({ seq: 1, failure: { code: "lost_turns_exhausted" } });
  });

  const compensating = async (status: "failed" | "dead") => {
    const { startAndClaim, claim, store } = bed();
    const run = await startAndClaim();
    const verdict = { status: "failed", failure: boom } as const;
    await store.commitTurns([decision(run, { entries: [entry(1)], verdict })]);
    await store.commitTurns([decision(await claim(run), { status, verdict })]);
    return run;
  };

  test("a failed run that has undone what it did stays so, and the answer says why", async () => {
    const { store, see } = bed();
    const run = await compensating("failed");
    const before = await see(run);
    expect(before).toMatchObject({ status: "failed", phase: "compensating" });
    expect(await store.reviveRun(run)).toEqual({ result: "undone", due: [] });
    expect(await see(run)).toEqual(before);
  });

  test("a run that died while it undid what it did goes on undoing", async () => {
    const { store, see, claim } = bed();
    const run = await compensating("dead");
    expect(await store.reviveRun(run)).toEqual({ result: "revived", due: [{ ...ref(run), wakeInMs: 0 }] });
    expect(await see(run)).toMatchObject({ status: "ready", phase: "compensating" });
    expect((await claim(run)).verdict).toEqual({ status: "failed", failure: boom });
  });

  test("the branches of a dead run are due again, with their budgets back and their delays kept", async () => {
    const { startAndClaim, claim, store, rowsOf } = bed();
    const run = await startAndClaim();
    const branches = [
      newBranch("now", { spent: 2, attempt: 3 }),
      newBranch("later", { due: { inMs: HOUR } }),
    ];
    await store.commitTurns([decision(run, { branches })]);
    await store.commitTurns([decision(await claim(run), { status: "dead" })]);
    const { due } = await store.reviveRun(run);
    expect(due).toContainEqual({ ...ref(run), branch: "now", wakeInMs: 0 });
    expect(due).toContainEqual({ ...ref(run), branch: "later", wakeInMs: expect.closeTo(HOUR, -4) });
    expect((await rowsOf("branches", run)).map(({ key, spent }) => [key, spent])).toEqual([
      ["later", 0],
      ["now", 0],
    ]);
    expect((await store.reviveRun(run)).due).toEqual([]);
  });

  test("a run that is not dead or failed is left alone, and the answer says what it is", async () => {
    const { start, startAndClaim, store, see } = bed();
    const completed = await startAndClaim();
    await store.commitTurns([decision(completed, { status: "completed" })]);
    const cancelled = await start();
    await store.cancelRun(cancelled, false);
    const waiting = await startAndClaim();
    await store.commitTurns([decision(waiting, { status: "waiting", wakeInMs: HOUR })]);
    for (const run of [await start(), await startAndClaim(), waiting, completed, cancelled].map(ref)) {
      const before = await see(run);
      expect(await store.reviveRun(run)).toEqual({ result: before.status, due: [] });
      expect(await see(run)).toEqual(before);
    }
  });

  test("a run that is not there, or another tenant's, is not found", async () => {
    const { startAndClaim, store, see } = bed();
    const run = await startAndClaim();
    await store.commitTurns([decision(run, { status: "dead" })]);
    expect(await store.reviveRun({ ...ref(run), tenant: "other" })).toEqual({ result: "not_found", due: [] });
    expect(await store.reviveRun({ ...ref(run), runId: "nobody" })).toEqual({ result: "not_found", due: [] });
    expect(await see(run)).toMatchObject({ status: "dead" });
  });
}
