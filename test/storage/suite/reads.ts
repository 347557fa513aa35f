import { describe, expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import type { Bed } from "../support/bed.ts";
import {
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
      await store.recordTick(null);
      const first = await reads.health();
      expect(first.now - (first.lastTickAt ?? 0)).toBeLessThan(MINUTE);
      await moveClock(HOUR);
      const later = await reads.health();
      expect(later.lastTickAt).toBe(first.lastTickAt);
      expect(later.now - first.now).toBeGreaterThanOrEqual(HOUR);
      await Promise.all([store.recordTick(null), store.recordTick(null), store.recordTick(null)]);
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
          await reads.runs(tenant, { tags: ["red"], workflow: "ship" }, 10, null),
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
        expect(await find({ tags: [text] })).toEqual([run]);
        expect(await find({ workflow: text })).toEqual([run]);
        expect(await find({ tags: [`${text}.`] })).toEqual([]);
        const below = await find({}, text);
        expect(below.every(({ runId }) => Buffer.from(runId).compare(Buffer.from(text)) < 0)).toBe(true);
        expect(await reads.run({ tenant: text, runId: text })).toBeNull();
        expect(await reads.journal({ tenant: "default", runId: text }, 10, 0)).toBeNull();
        expect(await reads.runs(text, {}, 10, null)).toEqual([]);
      },
    );
  });
}
