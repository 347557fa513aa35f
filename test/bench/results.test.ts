import { expect, test } from "vitest";
import { Figures, median } from "../../bench/figures.ts";
import type { Launched } from "../../bench/launch.ts";
import { readOptions } from "../../bench/options.ts";
import { results } from "../../bench/report/results.ts";
import { targetTable } from "../../bench/report/targets.ts";
import { done } from "../../bench/workloads.ts";

const W2 = "W2 steps/s";

function rowOf(table: string, words: string): string {
  return table.split("\n").find((line) => line.includes(words)) ?? "";
}

test("a median lies in the middle, between two values where their number is even", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 2, 9])).toBe(3);
});

test("a target says whether it was met, or by how much it was missed", () => {
  const figures = new Figures();
  figures.note("pawl, Miniflare", W2, 1_500);
  figures.note("pawl, wrangler dev", W2, 1_500);
  figures.note("dbos, default", W2, 1_000);
  const table = targetTable(figures);
  expect(rowOf(table, "at least 2 ×")).toContain("| 1,500 | 2,000 (dbos, default) | missed by 25.0 % |");
  expect(rowOf(table, "at least 1.2 ×")).toContain("| 1,500 | 1,200 (dbos, default) | met |");
});

test("targets count a durable peer at its better setting, and no queue", () => {
  const figures = new Figures();
  figures.note("pawl, Miniflare", W2, 1_500);
  figures.note("dbos, default", W2, 100);
  figures.note("dbos, tuned", W2, 400);
  figures.note("pg-boss, tuned", W2, 9_000);
  expect(rowOf(targetTable(figures), "at least 2 ×")).toContain("800 (dbos, tuned) | met");
});

test("a target for which a peer was not measured has no verdict, and one of which nothing was measured no row", () => {
  const figures = new Figures();
  figures.note("pawl, Miniflare", W2, 1_500);
  const table = targetTable(figures);
  expect(rowOf(table, "at least 2 ×")).toMatch(/\| 1,500 \| – \| – \|$/);
  expect(table).not.toContain("wrangler dev");
});

test("what was measured of a system that failed stays, beside the reason", () => {
  const asked = readOptions(["--rounds", "2", "--only", "dbos", "W2"]);
  const figures = new Figures();
  figures.note("dbos, tuned", W2, 400);
  figures.fail("dbos, tuned", "W2", new Error("its process ended"));
  const text = results({ asked, figures, postgresVersion: "18", minutesTaken: 1 });
  const [, table = ""] = text.split("## W2");
  expect(rowOf(table, "dbos, tuned")).toMatch(/\| 400 \|.*\*\*failed\*\*: its process ended/);
});

test("a run that did not do all of its steps is an error, and so is one that did some twice", async () => {
  const bed = (steps: number) => ({ run: async () => ({ ms: 1, steps, marks: [] }) }) as unknown as Launched;
  await expect(done(bed(9), { runs: 2, steps: 5 })).rejects.toThrow("9 steps were done, not 10");
  await expect(done(bed(11), { runs: 2, steps: 5 })).rejects.toThrow("11 steps were done, not 10");
});
