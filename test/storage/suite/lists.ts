import { ulid } from "ulid";
import { describe, expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import type { Run } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import { boom, decision, HOUR, MINUTE, newRun, ref } from "../support/builders.ts";

export function listsSuite(bed: () => Bed): void {
  const ids = (runs: readonly Run[]) => runs.map(({ runId }) => runId);

  describe("runs", () => {
    test("come newest first", async () => {
      const { start, reads } = bed();
      for (const id of ["b", "c", "a"]) await start({ id });
      expect(ids(await reads.runs("default", {}, 10, null))).toEqual(["c", "b", "a"]);
    });

    test("carry no payload, and of a failure no stack and no cause", async () => {
      const { startAndClaim, store, reads, see } = bed();
      const run = await startAndClaim();
      const failure = { ...boom, stack: "at …", cause: boom, step: "charge" };
      await store.commitTurns([decision(run, { status: "failed", failure })]);
      expect((await see(run)).failure).toEqual(failure);
      const { stack: _, cause: __, ...short } = failure;
      for (const listed of [
        await reads.runs("default", {}, 1, null),
        await reads.deadLetters("default", {}, 1, null),
      ]) {
        expect(listed[0]?.failure).toEqual(short);
        expect(Object.keys(listed[0] ?? {}).filter((name) => /input|output/.test(name))).toEqual([]);
      }
    });

    test("are found by workflow, status, tag, time and input, and by all of them at once", async () => {
      const { start, startAndClaim, store, reads, moveClock } = bed();
      const now = Date.now();
      const idOf = { a: ulid(now), b: ulid(now + HOUR), c: ulid(now + 2 * HOUR) };
      await start({
        id: idOf.a,
        workflow: "bill",
        tags: ["red"],
        input: encode({ to: { city: "Bonn" } }, "x"),
      });
      await moveClock(HOUR);
      const b = await startAndClaim({
        id: idOf.b,
        tags: ["red", "vip"],
        input: encode({ to: { city: "Köln" } }, "x"),
      });
      await store.commitTurns([decision(b, { status: "completed" })]);
      await moveClock(HOUR);
      await start({
        id: idOf.c,
        tags: ["vip"],
        input: encode({ to: ["Bonn"], n: 7, ok: true, no: null }, "x"),
      });
      const find = async (filter: Parameters<typeof reads.runs>[1]) =>
        (await reads.runs("default", filter, 10, null))
          .map(({ runId }) => Object.entries(idOf).find(([, id]) => id === runId)?.[0])
          .join("");
      const { createdAt } = (await reads.run(ref(b))) ?? { createdAt: 0 };
      expect(await find({})).toBe("cba");
      expect(await find({ workflow: "bill" })).toBe("a");
      expect(await find({ workflow: "none" })).toBe("");
      expect(await find({ statuses: ["ready"] })).toBe("ca");
      expect(await find({ statuses: ["ready", "completed"] })).toBe("cba");
      expect(await find({ statuses: [] })).toBe("");
      expect(await find({ tags: ["red"] })).toBe("ba");
      expect(await find({ tags: ["re"] })).toBe("");
      expect(await find({ createdAfter: createdAt })).toBe("cb");
      expect(await find({ createdBefore: createdAt })).toBe("a");
      expect(await find({ createdAfter: createdAt, createdBefore: createdAt + 1 })).toBe("b");
      const city = { path: ["to", "city"], value: "Bonn" };
      expect(await find({ input: city })).toBe("a");
      expect(await find({ input: { path: ["to", "0"], value: "Bonn" } })).toBe("c");
      expect(await find({ input: { path: ["n"], value: "7" } })).toBe("c");
      expect(await find({ input: { path: ["ok"], value: "true" } })).toBe("c");
      expect(await find({ input: { path: ["no"], value: "null" } })).toBe("");
      expect(
        await find({
          tags: ["red"],
          statuses: ["ready"],
          workflow: "bill",
          input: city,
          createdBefore: createdAt,
        }),
      ).toBe("a");
      expect(await find({ tags: ["red"], statuses: ["completed"], workflow: "bill" })).toBe("");
    });

    test("a search by input goes back 5,000 runs of those that the rest of the filter leaves", async () => {
      const { store, reads } = bed();
      const all = Array.from({ length: 5_001 }, () =>
        newRun({ id: ulid(), workflow: "bill", input: encode({ n: 1 }, "x") }),
      ).sort((a, b) => (a.id < b.id ? -1 : 1));
      for (let i = 0; i < all.length; i += 500) await store.startRuns("default", all.slice(i, i + 500));
      const [oldest, end] = all.map(({ id }) => id);
      if (oldest === undefined || end === undefined) throw new Error("Nothing was started.");
      const input = { path: ["n"], value: "2" };
      expect(await reads.searchEnd("default", { input }, null)).toBe(end);
      expect(await reads.searchEnd("default", { workflow: "bill", statuses: ["ready"], input }, null)).toBe(
        end,
      );
      expect(await reads.searchEnd("default", { workflow: "none", input }, null)).toBeNull();
      expect(await reads.searchEnd("default", { statuses: ["dead"], input }, null)).toBeNull();
      expect(await reads.searchEnd("default", { input }, all[5_000]?.id ?? "")).toBe(oldest);
      expect(await reads.searchEnd("default", { input }, end)).toBeNull();
      const back = async (limit: number) =>
        ids(await reads.runs("default", { oldest: end }, limit, all[2]?.id ?? ""));
      expect(await back(10)).toEqual([end]);
    });

    test("several statuses give one list, newest first, in pages and with whatever else is asked for", async () => {
      const { start, startAndClaim, store, reads } = bed();
      const endAs = async (id: string, status: "failed" | "dead", workflow: string) =>
        store.commitTurns([decision(await startAndClaim({ id, workflow }), { status })]);
      for (const [i, id] of ["a", "b", "c", "d", "e"].entries()) {
        await endAs(id, i % 2 === 0 ? "failed" : "dead", i < 4 ? "bill" : "ship");
      }
      await startAndClaim({ id: "f" });
      await start({ id: "g" });
      const find = async (
        filter: Parameters<typeof reads.runs>[1],
        limit = 10,
        before: string | null = null,
      ) => ids(await reads.runs("default", filter, limit, before)).join("");
      expect(await find({ statuses: ["failed", "dead"] })).toBe("edcba");
      expect(await find({ statuses: ["failed", "dead", "failed"] }, 3)).toBe("edc");
      expect(await find({ statuses: ["dead", "failed"] }, 3, "c")).toBe("ba");
      expect(await find({ statuses: ["failed", "dead", "running"], workflow: "bill" })).toBe("dcba");
      expect(await find({ statuses: ["dead", "running", "paused"] })).toBe("fdb");
      expect(await find({ statuses: ["dead", "ready"] })).toBe("gdb");
    });

    test("a run is found by its time also where its id was made up to an hour before or after", async () => {
      const { start, reads } = bed();
      const now = Date.now();
      const early = await start({ id: ulid(now - HOUR + MINUTE) });
      const late = await start({ id: ulid(now + HOUR - MINUTE) });
      const { createdAt } = (await reads.run(early)) ?? { createdAt: 0 };
      const found = (await reads.run(late)) ?? { createdAt: 0 };
      const both = { createdAfter: createdAt, createdBefore: found.createdAt + 1 };
      expect(ids(await reads.runs("default", both, 10, null))).toEqual([late.runId, early.runId]);
      expect(await reads.runs("default", { createdAfter: found.createdAt + 1 }, 10, null)).toEqual([]);
      expect(await reads.runs("default", { createdBefore: createdAt }, 10, null)).toEqual([]);
    });

    test("pages hold every run once, also while new runs are started", async () => {
      const { start, reads } = bed();
      const before: string[] = [];
      for (let i = 0; i < 25; i++) before.push((await start({ tags: i % 2 ? ["odd"] : [] })).runId);
      for (const filter of [{}, { tags: ["odd"] }, { statuses: ["ready" as const] }]) {
        const seen: string[] = [];
        for (let cursor: string | null = null; ; ) {
          const page: Run[] = await reads.runs("default", filter, 4, cursor);
          seen.push(...ids(page));
          await start({ tags: ["odd"] });
          cursor = page.at(-1)?.runId ?? null;
          if (page.length < 4 || cursor === null) break;
        }
        const expected = before.filter((_, i) => filter.tags === undefined || i % 2 === 1);
        expect(seen.filter((id) => before.includes(id))).toEqual(expected.sort().reverse());
        expect(new Set(seen).size).toBe(seen.length);
      }
    });

    test("a page ends where it is told, and a cursor that is no id is only a place in the order", async () => {
      const { start, reads } = bed();
      for (const id of ["01A", "01B", "01C"]) await start({ id });
      expect(ids(await reads.runs("default", {}, 2, null))).toEqual(["01C", "01B"]);
      expect(ids(await reads.runs("default", {}, 2, "01B"))).toEqual(["01A"]);
      expect(ids(await reads.runs("default", {}, 2, "01Bx"))).toEqual(["01B", "01A"]);
      expect(ids(await reads.runs("default", {}, 2, ""))).toEqual([]);
      expect(ids(await reads.runs("default", {}, 0, null))).toEqual([]);
    });

    test("ids are ordered by their bytes, whatever the language of the database", async () => {
      const { start, reads } = bed();
      for (const id of ["a", "B", "_", "0"]) await start({ id });
      expect(ids(await reads.runs("default", {}, 10, null))).toEqual(["a", "_", "B", "0"]);
    });
  });

  describe("deadLetters", () => {
    test("are the failed and dead runs that nobody discarded, with the filters and pages of runs", async () => {
      const { startAndClaim, start, store, reads } = bed();
      await start({ id: "0" });
      const end = async (id: string, status: "completed" | "failed" | "dead", tags: string[] = []) => {
        await store.commitTurns([decision(await startAndClaim({ id, tags }), { status })]);
      };
      await end("1", "completed");
      await end("2", "failed", ["red"]);
      await end("3", "dead");
      await end("4", "failed");
      await end("5", "dead");
      await store.discardRun({ tenant: "default", runId: "4" });
      const find = async (
        filter: Parameters<typeof reads.runs>[1],
        limit = 10,
        before: string | null = null,
      ) => ids(await reads.deadLetters("default", filter, limit, before)).join("");
      expect(await find({})).toBe("532");
      expect(await find({}, 2)).toBe("53");
      expect(await find({}, 2, "3")).toBe("2");
      expect(await find({ statuses: ["failed"] })).toBe("2");
      expect(await find({ statuses: ["ready"] })).toBe("");
      expect(await find({ tags: ["red"] })).toBe("2");
    });
  });
}
