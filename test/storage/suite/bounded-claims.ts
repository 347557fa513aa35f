/** N2: however large inputs, journals and inboxes are, one answer brings no more than an isolate has room for. */
import { describe, expect, test } from "vitest";
import { bytesOf, encode } from "../../../src/engine/codec.ts";
import type { NewEntry } from "../../../src/engine/journal.ts";
import type { JournalPart } from "../../../src/engine/ports.ts";
import type { ClaimedRun, RunRef } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import { boom, decision, entry, failedEntry, LEASE, MINUTE, only, ref } from "../support/builders.ts";
import { branchOf, newBranch, newWait, outcome, parks, signal } from "../support/family.ts";

const SMALL = { claimBytes: 10_000, pageEntries: 8, inboxBytes: 4_000 };

const text = (bytes: number) => encode("x".repeat(bytes - 2), "x");

export function boundedClaimsSuite(bed: () => Bed): void {
  const small = () => bed().sized(SMALL);

  /** A run that is due, whose journal has these entries. */
  async function journaled(entries: readonly NewEntry[], fields: Parameters<Bed["start"]>[0] = {}) {
    const { startAndClaim, store } = bed();
    const run = await startAndClaim(fields);
    const values = entries.flatMap(({ output }) => (output === null ? [] : [bytesOf(output)]));
    const entryBytes = values.reduce((sum, each) => sum + each, 0);
    await store.commitTurns([decision(run, { entries, entryBytes })]);
    return ref(run);
  }

  const filled = (count: number, bytes: number) =>
    Array.from({ length: count }, (_, i) => entry(i + 1, { output: text(bytes) }));

  async function readAll(run: RunRef, part: JournalPart) {
    const pages: number[][] = [];
    for (let after = 0; ; ) {
      const page = await small().readJournal(run, part, after);
      if (page === null) throw new Error("the turn has moved on");
      pages.push(page.entries.map(({ seq }) => seq));
      if (page.isLast) return pages;
      after = page.entries.at(-1)?.seq ?? 0;
    }
  }

  describe("of runs", () => {
    test("the lightest come first, as long as there is room, and the rest is named", async () => {
      const [large, light, middle, input] = [
        await journaled(filled(2, 4_000)),
        await journaled([entry(1)]),
        await journaled(filled(1, 4_000)),
        await bed().start({ input: text(4_500) }),
      ];
      const asked = [large, light, middle, input];
      const { claimed, rest } = await small().claimRuns(asked, LEASE);
      expect(claimed.map(ref)).toEqual(expect.arrayContaining([light, middle, input]));
      expect(claimed).toHaveLength(3);
      expect(rest).toEqual([large]);
      expect(await bed().see(large)).toMatchObject({ status: "ready", turn: 1 });
      const next = await small().claimRuns(rest ?? [], LEASE);
      expect(next.claimed).toMatchObject([{ ...large, turn: 2, partial: false, journal: { length: 2 } }]);
      expect(next.rest).toBeUndefined();
    });

    test("one run alone is claimed however much it is, without a journal that is more than a page", async () => {
      const heavy = await journaled(filled(3, 4_000));
      const run = only((await small().claimRuns([heavy], LEASE)).claimed);
      expect(run).toMatchObject({ ...heavy, partial: true, journal: [], journalBytes: 12_000 });
    });

    test("a journal of more entries than a page has does not come either", async () => {
      const [full, long] = [await journaled(filled(8, 10)), await journaled(filled(9, 10))];
      const { claimed } = await small().claimRuns([full, long], LEASE);
      const found = (one: RunRef) => claimed.find(({ runId }) => runId === one.runId);
      expect(found(full)).toMatchObject({ partial: false, journal: { length: 8 } });
      expect(found(long)).toMatchObject({ partial: true, journal: [] });
    });

    test("a journal that is known weighs nothing, and of it only the last entry comes, without its values", async () => {
      const runs = [await journaled(filled(3, 4_000)), await journaled(filled(3, 4_000))];
      const { claimed, rest } = await small().claimRuns(
        runs.map((run) => ({ ...run, after: 3 })),
        LEASE,
      );
      expect(rest).toBeUndefined();
      const last = { seq: 3, key: "step 3", outcome: "completed", output: null, failure: null };
      expect(claimed).toMatchObject([0, 1].map(() => ({ partial: true, journal: [last] })));
    });

    test("also of a journal that has one entry only", async () => {
      const run = await journaled(filled(1, 4_000));
      const claimed = only((await small().claimRuns([{ ...run, after: 1 }], LEASE)).claimed);
      expect(claimed).toMatchObject({ partial: true, journal: [{ seq: 1, output: null }] });
    });

    test("what this claim did not take is not read, whoever holds it", async () => {
      const [held, free] = [await journaled(filled(1, 10)), await journaled(filled(1, 10))];
      await bed().claim(held);
      expect((await small().claimRuns([held, free], LEASE)).claimed.map(ref)).toEqual([free]);
    });

    test("of a run that was lost nothing is left over: it is a suspect", async () => {
      const { store, moveClock } = bed();
      const [lost, light] = [await journaled(filled(3, 4_000)), await bed().start()];
      await bed().claim(lost);
      await moveClock(LEASE);
      await store.reclaimLeases(10, 5);
      await moveClock(MINUTE);
      const { claimed, suspects, rest } = await small().claimRuns([lost, light], LEASE);
      expect([claimed.map(ref), suspects, rest]).toEqual([[light], [lost], undefined]);
      expect((await small().claimSuspect(lost, LEASE)).claimed).toMatchObject([{ ...lost, partial: true }]);
    });
  });

  describe("a journal in pages", () => {
    test.each([
      [
        "in bytes, by the entry that fills it",
        filled(5, 4_000),
        [
          [1, 2, 3],
          [4, 5],
        ],
      ],
      [
        "in entries",
        filled(10, 10),
        [
          [1, 2, 3, 4, 5, 6, 7, 8],
          [9, 10],
        ],
      ],
      ["by its end", filled(8, 10), [[1, 2, 3, 4, 5, 6, 7, 8], []]],
    ])("each bounded %s", async (_, entries, pages) => {
      const run = await bed().claim(await journaled(entries));
      expect(await readAll(ref(run), { turn: run.turn })).toEqual(pages);
    });

    test("has every entry with every field, as in one piece", async () => {
      const entries = [
        entry(1, { output: encode(new Date(5), "x") }),
        failedEntry(2),
        entry(3, { output: null }),
      ];
      const run = await bed().claim(await journaled(entries));
      const page = await small().readJournal(run, { turn: run.turn }, 0);
      expect(page).toEqual({ entries: run.journal, isLast: true });
      expect(await small().readJournal(run, { turn: run.turn }, 3)).toEqual({ entries: [], isLast: true });
    });

    test("is given to the turn that holds the run, and to no other (I2)", async () => {
      const { store, claim } = bed();
      const run = await claim(await journaled(filled(2, 10)));
      const read = (turn: number) => small().readJournal(ref(run), { turn }, 0);
      expect(await read(run.turn)).toMatchObject({ entries: [{ seq: 1 }, { seq: 2 }] });
      expect(await read(run.turn - 1)).toBeNull();
      await store.commitTurns([decision(run)]);
      expect(await read(run.turn)).toBeNull();
      expect(await read(run.turn + 1)).toBeNull();
      await claim(run);
      expect(await read(run.turn)).toBeNull();
    });

    test("up to an entry is there for everybody, and ends with it", async () => {
      const run = await journaled(filled(6, 4_000));
      expect(await readAll(run, { upTo: 4 })).toEqual([[1, 2, 3], [4]]);
      expect(await readAll({ ...run, tenant: "other" }, { upTo: 4 })).toEqual([[]]);
    });
  });

  describe("of inboxes", () => {
    /** A run that waits for the signal "go", with these in its inbox. */
    async function flooded(names: readonly string[], bytes: number): Promise<ClaimedRun> {
      const { startAndClaim, store } = bed();
      const run = await startAndClaim();
      await store.commitTurns([parks(run, { waits: [newWait("signal", "go")] })]);
      for (const name of names)
        await store.deliverSignals("default", [signal(run, name, null, "x".repeat(bytes - 2))]);
      return only((await small().claimRuns([ref(run)], LEASE)).claimed);
    }

    const withheldOf = ({ inbox }: ClaimedRun) => inbox.map(({ name, withheld }) => [name, withheld]);

    test("all that has arrived is announced, and what is more than enough comes when it is asked for", async () => {
      const run = await flooded(["go", "go", "go", "go"], 3_000);
      expect(withheldOf(run)).toEqual([
        ["go", false],
        ["go", false],
        ["go", true],
        ["go", true],
      ]);
      const [first, , third] = run.inbox;
      expect(third).toMatchObject({ kind: "signal", outcome: "completed", payload: null, attempts: [] });
      const whole = await small().readDelivery(run, third?.id ?? 0);
      expect(whole).toEqual({ ...third, withheld: false, payload: text(3_000) });
      expect(await small().readDelivery(run, first?.id ?? 0)).toEqual(first);
    });

    test("what the run waits for is not withheld for what it does not wait for", async () => {
      const run = await flooded(["noise", "noise", "noise", "go"], 3_000);
      expect(withheldOf(run)).toEqual([
        ["noise", false],
        ["noise", true],
        ["noise", true],
        ["go", false],
      ]);
    });

    test("one delivery comes along however large it is", async () => {
      expect(withheldOf(await flooded(["go"], 900_000))).toEqual([["go", false]]);
    });

    test("a delivery that was taken is nobody's, and neither is another run's", async () => {
      const run = await flooded(["go", "go"], 10);
      const [first, second] = run.inbox.map(({ id }) => id);
      await bed().store.commitTurns([decision(run, { consumed: [{ id: first ?? 0, key: "go" }] })]);
      expect(await small().readDelivery(run, first ?? 0)).toBeNull();
      expect(await small().readDelivery({ ...run, tenant: "other" }, second ?? 0)).toBeNull();
      expect(await small().readDelivery(run, second ?? 0)).toMatchObject({ name: "go" });
    });

    test("failed attempts are withheld with what they came to", async () => {
      const { store } = bed();
      const run = await bed().startAndClaim();
      const branches = ["a", "b"].map((key) => newBranch(key));
      await store.commitTurns([parks(run, { branches })]);
      for (const key of ["a", "b"]) {
        const failure = { ...boom, message: "x".repeat(5_000) };
        const [first] = (await store.claimBranches([branchOf(run, key)], LEASE)).claimed;
        if (first === undefined) throw new Error("not claimed");
        await store.commitBranches([outcome(first, { outcome: "retrying", failure, retryInMs: 0 })]);
        const [again] = (await store.claimBranches([branchOf(run, key)], LEASE)).claimed;
        if (again === undefined) throw new Error("not claimed");
        await store.commitBranches([outcome(again, { outcome: "failed", failure })]);
      }
      const [a, b] = only((await small().claimRuns([ref(run)], LEASE)).claimed).inbox;
      expect(a).toMatchObject({ withheld: false, attempts: { length: 1 } });
      expect(b).toMatchObject({ withheld: true, attempts: [], failure: null, attempt: 2 });
      expect(await small().readDelivery(run, b?.id ?? 0)).toMatchObject({
        withheld: false,
        attempts: { length: 1 },
        failure: { message: expect.stringMatching(/^x{5000}$/) },
      });
    });

    test("an inbox weighs what it brings", async () => {
      const { store, start } = bed();
      const runs = [await start(), await start(), await start()];
      for (const run of runs) {
        await store.deliverSignals("default", [signal(run, "go", null, "x".repeat(4_000))]);
      }
      const { claimed, rest } = await small().claimRuns(runs, LEASE);
      expect([claimed.map(ref), rest]).toEqual([runs.slice(0, 2), runs.slice(2)]);
    });
  });

  describe("of branches", () => {
    /** A run whose first entries are followed by branches, and by others that the branches do not see. */
    async function fanned(
      before: readonly NewEntry[],
      keys: readonly string[],
      afterwards: readonly NewEntry[] = [],
    ) {
      const run = await bed().claim(await journaled(before));
      const branches = keys.map((key) => newBranch(key, { askedAt: before.length }));
      const entryBytes = afterwards.length * 4_000;
      await bed().store.commitTurns([parks(run, { branches, entries: afterwards, entryBytes })]);
      return keys.map((key) => branchOf(run, key));
    }

    test("as many come as there is room for copies of their runs, and the rest is named", async () => {
      const branches = await fanned(filled(1, 4_000), ["a", "b", "c"]);
      const { claimed, rest } = await small().claimBranches(branches, LEASE);
      expect(claimed.map(({ key }) => key).sort()).toEqual(["a", "b"]);
      expect(claimed[0]?.run).toBe(claimed[1]?.run);
      expect(rest).toEqual(branches.slice(2));
      expect((await small().claimBranches(rest ?? [], LEASE)).claimed).toMatchObject([
        { key: "c", askedAt: 1 },
      ]);
    });

    test("what the journal has come to since the step was asked for weighs nothing", async () => {
      const later = filled(6, 4_000).slice(1);
      const branches = await fanned(filled(1, 1_000), ["a", "b", "c", "d"], later);
      const { claimed, rest } = await small().claimBranches(branches, LEASE);
      expect([claimed.length, rest]).toEqual([4, undefined]);
      expect(claimed[0]?.run).toMatchObject({ partial: false, journal: { length: 1 } });
    });

    test.each([
      ["bytes", filled(3, 4_000)],
      ["entries", filled(9, 10)],
    ])("one alone is claimed, without a journal of more %s than a page has", async (_, before) => {
      const branches = await fanned(before, ["a"]);
      const { claimed } = await small().claimBranches(branches, LEASE);
      expect(claimed).toMatchObject([
        { key: "a", askedAt: before.length, run: { partial: true, journal: [] } },
      ]);
    });
  });
}
