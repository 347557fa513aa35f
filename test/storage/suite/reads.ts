import { ulid } from "ulid";
import { describe, expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import type { Run } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import {
  boom,
  decision,
  entry,
  failedEntry,
  HOUR,
  LEASE,
  MINUTE,
  newRun,
  ref,
  retryingEntry,
} from "../support/builders.ts";

export function readsSuite(bed: () => Bed): void {
  const ids = (runs: readonly Run[]) => runs.map(({ runId }) => runId);

  describe("run", () => {
    test("a run that is not there, or another tenant's, is null", async () => {
      const { start, reads } = bed();
      const run = await start();
      expect(await reads.run({ ...run, tenant: "other" })).toBeNull();
      expect(await reads.run({ ...run, runId: "nobody" })).toBeNull();
    });

    test("the input comes back as it was", async () => {
      const { start, see } = bed();
      for (const value of [null, undefined, "", 0, { a: [new Date(1), 2n] }]) {
        const input = encode(value, "x");
        expect((await see(await start({ input }))).input).toEqual(input);
      }
    });
  });

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
      expect(await find({ tag: "red" })).toBe("ba");
      expect(await find({ tag: "re" })).toBe("");
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
          tag: "red",
          statuses: ["ready"],
          workflow: "bill",
          input: city,
          createdBefore: createdAt,
        }),
      ).toBe("a");
      expect(await find({ tag: "red", statuses: ["completed"], workflow: "bill" })).toBe("");
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
      for (const filter of [{}, { tag: "odd" }, { statuses: ["ready" as const] }]) {
        const seen: string[] = [];
        for (let cursor: string | null = null; ; ) {
          const page: Run[] = await reads.runs("default", filter, 4, cursor);
          seen.push(...ids(page));
          await start({ tags: ["odd"] });
          cursor = page.at(-1)?.runId ?? null;
          if (page.length < 4 || cursor === null) break;
        }
        const expected = before.filter((_, i) => filter.tag === undefined || i % 2 === 1);
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
      expect(await find({ tag: "red" })).toBe("2");
    });
  });

  describe("journal", () => {
    test("is null for a run that is not there and empty for one that has done nothing", async () => {
      const { start, reads } = bed();
      const run = await start();
      expect(await reads.journal({ ...run, runId: "nobody" }, 10, 0)).toBeNull();
      expect(await reads.journal({ ...run, tenant: "other" }, 10, 0)).toBeNull();
      expect(await reads.journal(run, 10, 0)).toEqual([]);
    });

    test("tells every entry with its turn and times", async () => {
      const { startAndClaim, store, reads } = bed();
      const run = await startAndClaim();
      const entries = [
        entry(1, { tookMs: 250 }),
        entry(2, { output: null, kind: "sleep" }),
        retryingEntry(3, { retryInMs: MINUTE }),
        failedEntry(4),
      ];
      await store.commitTurns([decision(run, { entries })]);
      const lines = (await reads.journal(run, 10, 0)) ?? [];
      expect(lines).toEqual(
        entries.map(({ tookMs: _, retryInMs: __, ...rest }) => ({
          ...rest,
          turn: 1,
          startedAt: expect.any(Number),
          recordedAt: expect.any(Number),
          retryAt: rest.outcome === "retrying" ? expect.any(Number) : null,
        })),
      );
      expect(lines.map(({ startedAt, recordedAt }) => recordedAt - startedAt)).toEqual([250, 5, 5, 5]);
      const third = lines[2];
      expect((third?.retryAt ?? 0) - (third?.recordedAt ?? 0)).toBe(MINUTE);
    });

    test("comes in pages, oldest first, while it grows", async () => {
      const { startAndClaim, claim, store, reads } = bed();
      let run = await startAndClaim();
      const entries = Array.from({ length: 10 }, (_, i) => entry(i + 1));
      await store.commitTurns([decision(run, { entries })]);
      const first = (await reads.journal(run, 4, 0)) ?? [];
      run = await claim(run);
      await store.commitTurns([decision(run, { entries: [entry(11)] })]);
      const second = (await reads.journal(run, 4, first.at(-1)?.seq ?? 0)) ?? [];
      const third = (await reads.journal(run, 4, second.at(-1)?.seq ?? 0)) ?? [];
      expect([...first, ...second, ...third].map(({ seq }) => seq)).toEqual([
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
      ]);
    });
  });

  describe("health", () => {
    test("tells the database's time and when the cron last ticked", async () => {
      const { reads, store, moveClock } = bed();
      expect((await reads.health()).lastTickAt).toBeNull();
      await store.recordTick();
      const first = await reads.health();
      expect(first.now - (first.lastTickAt ?? 0)).toBeLessThan(MINUTE);
      await moveClock(HOUR);
      const later = await reads.health();
      expect(later.lastTickAt).toBe(first.lastTickAt);
      expect(later.now - first.now).toBeGreaterThanOrEqual(HOUR);
      await Promise.all([store.recordTick(), store.recordTick(), store.recordTick()]);
      const last = await reads.health();
      expect((last.lastTickAt ?? 0) - (first.lastTickAt ?? 0)).toBeGreaterThanOrEqual(HOUR);
    });
  });

  describe("tenants", () => {
    test("two tenants with mirrored runs see and touch only their own", async () => {
      const { store, reads } = bed();
      const mirror = async (tenant: string) => {
        const runs = ["1", "2", "3"].map((id) =>
          newRun({ id, tags: ["red"], idempotencyKey: id, input: encode({ owner: tenant }, "x") }),
        );
        await store.startRuns(tenant, runs);
        const refs = runs.map(({ id }) => ({ tenant, runId: id }));
        for (const run of (await store.claimRuns(refs, LEASE)).claimed) {
          const output = encode(`output of ${tenant}`, "x");
          const step = entry(1, { output, key: `step of ${tenant}` });
          const status = run.runId === "1" ? "failed" : run.runId === "2" ? "waiting" : "completed";
          const timers = status === "waiting" ? [{ key: `nap of ${tenant}`, due: { inMs: HOUR } }] : [];
          const wakes = status === "waiting" ? { wakeInMs: HOUR } : {};
          await store.commitTurns([decision(run, { status, entries: [step], timers, ...wakes })]);
        }
      };
      await mirror("a");
      await mirror("b");
      const view = async (tenant: string) =>
        JSON.stringify([
          await reads.runs(tenant, {}, 10, null),
          await reads.runs(tenant, { tag: "red", workflow: "ship" }, 10, null),
          await reads.deadLetters(tenant, {}, 10, null),
          await Promise.all(["1", "2", "3"].map((runId) => reads.run({ tenant, runId }))),
          await Promise.all(["1", "2", "3"].map((runId) => reads.journal({ tenant, runId }, 10, 0))),
        ]);
      const others = await view("b");
      expect(await view("a")).not.toContain("of b");
      expect(JSON.parse(await view("a"))[0]).toHaveLength(3);
      expect(JSON.parse(await view("a"))[1]).toHaveLength(3);
      await store.cancelRun({ tenant: "a", runId: "2" }, false);
      await store.reviveRun({ tenant: "a", runId: "1" });
      await store.discardRun({ tenant: "a", runId: "1" });
      await store.claimRuns([{ tenant: "a", runId: "1" }], LEASE);
      expect(await view("b")).toBe(others);
      expect(await reads.runs("c", {}, 10, null)).toEqual([]);
    });
  });

  describe("texts from outside", () => {
    const corpus = [
      "'",
      "''; drop table pawl.runs; --",
      '"',
      "\\",
      "\\'",
      "$1",
      "$$",
      "%",
      "_",
      "*",
      "{}",
      "{a,b}",
      "a,b",
      '{"a"}',
      "null",
      "NULL",
      "",
      " ",
      "\n",
      "\t",
      "$.**",
      "@ ? (1==1)",
      "' or '1'='1",
      "1) or (1=1",
      "\u{1F600}",
      "\u202E",
      "__proto__",
      "constructor",
      "-1",
      "01J",
      "x".repeat(2_000),
    ];

    test.each(corpus.map((text) => [JSON.stringify(text).slice(0, 40), text]))(
      "%s is only a text, wherever it stands",
      async (_, text) => {
        const { start, reads } = bed();
        await start({ input: encode({ other: "x", list: ["x"] }, "x"), tags: ["other"], workflow: "other" });
        const object = Object.fromEntries([[text, { [text]: text }]]);
        const run = await start({
          input: encode(object, "x"),
          tags: [text],
          workflow: text,
          idempotencyKey: text,
        });
        const find = async (filter: Parameters<typeof reads.runs>[1], before: string | null = null) =>
          (await reads.runs("default", filter, 10, before)).map(ref);
        const path = text === "__proto__" ? [text] : [text, text];
        const value = text === "__proto__" ? "nothing" : text;
        expect(await find({ input: { path, value } })).toEqual(text === "__proto__" ? [] : [run]);
        expect(await find({ input: { path: [text], value: "nothing" } })).toEqual([]);
        expect(await find({ tag: text })).toEqual([run]);
        expect(await find({ workflow: text })).toEqual([run]);
        expect(await find({ tag: `${text}.` })).toEqual([]);
        const below = await find({}, text);
        expect(below.every(({ runId }) => Buffer.from(runId).compare(Buffer.from(text)) < 0)).toBe(true);
        expect(await reads.run({ tenant: text, runId: text })).toBeNull();
        expect(await reads.journal({ tenant: "default", runId: text }, 10, 0)).toBeNull();
        expect(await reads.runs(text, {}, 10, null)).toEqual([]);
      },
    );
  });
}
