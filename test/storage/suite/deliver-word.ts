import { expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import type { Bed } from "../support/bed.ts";
import { decision, ref } from "../support/builders.ts";
import { inboxOf, newWait, parks } from "../support/family.ts";

export function deliverWordSuite(bed: () => Bed): void {
  const asks = async () => {
    const run = await bed().startAndClaim();
    await bed().store.commitTurns([parks(run, { waits: [newWait("person", "charge")] })]);
    return run;
  };

  test.each([
    [
      { outcome: "completed", output: encode({ paid: 7n }, "x") },
      { outcome: "completed", payload: encode({ paid: 7n }, "x") },
    ],
    [
      { outcome: "completed", output: null },
      { outcome: "completed", payload: null },
    ],
    [{ outcome: "again" }, { outcome: "again", payload: null }],
  ] as const)("what a person says is delivered to the step that asks: %j", async (word, told) => {
    const { store, claim } = bed();
    const run = await asks();
    expect(await store.deliverWord(run, "charge", word)).toEqual({
      found: true,
      due: [{ ...ref(run), wakeInMs: 0 }],
    });
    expect((await claim(run)).inbox).toMatchObject([{ kind: "person", name: "charge", ...told }]);
  });

  test("the first word counts, also of many at once", async () => {
    const { store } = bed();
    const run = await asks();
    const words = await Promise.all(
      [1, 2, 3, 4].map(() => store.deliverWord(run, "charge", { outcome: "again" })),
    );
    expect(words.map(({ found }) => found).sort()).toEqual([false, false, false, true]);
    expect(words.flatMap(({ due }) => due)).toEqual([{ ...ref(run), wakeInMs: 0 }]);
    expect(await inboxOf(bed(), run)).toEqual(["person charge again"]);
  });

  test("a word is found by no other step, run or tenant, and by none that waits for something else", async () => {
    const { store, startAndClaim, everything } = bed();
    const run = await asks();
    const other = await startAndClaim();
    await store.commitTurns([parks(other, { waits: [newWait("signal", "charge")] })]);
    const before = await everything();
    for (const [asked, key] of [
      [run, "refund"],
      [{ ...ref(run), tenant: "other" }, "charge"],
      [{ ...ref(run), runId: "nobody" }, "charge"],
      [other, "charge"],
    ] as const) {
      expect(await store.deliverWord(asked, key, { outcome: "again" })).toEqual({ found: false, due: [] });
    }
    expect(await everything()).toEqual(before);
  });

  test("a paused run and a dead one keep the word; a failed one takes none", async () => {
    const { store, startAndClaim, see } = bed();
    const paused = await asks();
    await store.pauseRun(paused);
    expect(await store.deliverWord(paused, "charge", { outcome: "again" })).toEqual({ found: true, due: [] });
    expect(await see(paused)).toMatchObject({ status: "paused" });
    for (const status of ["dead", "failed"] as const) {
      const run = await startAndClaim();
      await store.commitTurns([decision(run, { status, waits: [newWait("person", "charge")] })]);
      const { found } = await store.deliverWord(run, "charge", { outcome: "again" });
      expect([status, found]).toEqual([status, status === "dead"]);
    }
  });
}
