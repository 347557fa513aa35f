/** The runs of a filter as a file: whole or visibly broken off, in any number, and harmless in a spreadsheet. */
import { describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../src/engine/errors.ts";
import type { Run } from "../../src/engine/run.ts";
import { appWith, errorOf, NOW, plain, runWith } from "./support.ts";

const FILES = ["/api/runs/export", "/api/dead-letters/export"] as const;
const idOf = (i: number) => `01K7Z3QX5V8M2N4P6R8T${String(999_999 - i).padStart(6, "0")}`;

/** Both lists over these runs, newest first; `failAt` is the page that the database fails at. */
async function exporting(runs: readonly Run[], failAt = Number.POSITIVE_INFINITY) {
  const asked: { limit: number; before: string | null; filter: object }[] = [];
  const list = async (_tenant: string, filter: object, limit: number, before: string | null) => {
    asked.push({ filter, limit, before });
    if (asked.length > failAt) throw new StoreUnavailable(new Error("gone"));
    return runs.filter(({ runId }) => before === null || runId < before).slice(0, limit);
  };
  const { call } = await appWith({ reads: { runs: list, deadLetters: list } });
  return { call, asked };
}

const many = (count: number, fields: Partial<Run> = {}): Run[] =>
  Array.from({ length: count }, (_, i) => runWith({ ...fields, runId: idOf(i) }));

/** The cells of a file, read as RFC 4180 has it. */
function cellsOf(csv: string): string[][] {
  const lines: string[][] = [];
  let line: string[] = [];
  for (const [, quoted, bare = "", end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r\n)/g)) {
    line.push(quoted?.replaceAll('""', '"') ?? bare);
    if (end === ",") continue;
    lines.push(line);
    line = [];
  }
  return lines;
}

describe.each(FILES)("%s", (path) => {
  test("gives JSON that any reader takes, without payloads", async () => {
    const { call, asked } = await exporting(many(2));
    const response = await call(`${path}?format=json&workflow=echo&tag=a&tag=b&status=failed`);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/json",
      "content-disposition": 'attachment; filename="runs.json"',
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
    });
    const runs = (await response.json()) as object[];
    expect(runs).toEqual([
      expect.objectContaining({ id: idOf(0), status: "completed" }),
      expect.objectContaining({ id: idOf(1) }),
    ]);
    expect(runs[0]).not.toHaveProperty("input");
    expect(asked[0]?.filter).toEqual({ workflow: "echo", tags: ["a", "b"], statuses: ["failed"] });
  });

  test("gives CSV with a line of headers and one for each run", async () => {
    const failure = { code: "error", name: "Declined", message: 'no "money",\nno', step: "charge" };
    const { call } = await exporting([
      runWith({ status: "failed", failure, tags: ["eu", "vip"], currentStep: "charge", output: null }),
    ]);
    const response = await call(`${path}?format=csv`);
    expect(response.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    const [headers = [], cells = []] = cellsOf(await response.text());
    expect(Object.fromEntries(headers.map((name, i) => [name, cells[i]]))).toEqual({
      id: runWith().runId,
      workflow: "echo",
      version: "1",
      status: "failed",
      created_at: new Date(NOW).toISOString(),
      started_at: new Date(NOW + 5).toISOString(),
      finished_at: new Date(NOW + 1_000).toISOString(),
      duration_ms: "995",
      steps_done: "2",
      current_step: "charge",
      failure_step: "charge",
      failure_name: "Declined",
      failure_message: 'no "money",\nno',
      tags: "eu vip",
      idempotency_key: "",
    });
  });

  test.each(["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '=cmd|"/c calc"!A1'])(
    "lets no spreadsheet compute %j",
    async (formula) => {
      const { call } = await exporting([
        runWith({ workflow: formula, tags: [formula], currentStep: formula, idempotencyKey: formula }),
      ]);
      const [, cells = []] = cellsOf(await (await call(`${path}?format=csv`)).text());
      expect(cells.filter((cell) => cell.includes(formula))).toEqual(Array(4).fill(`'${formula}`));
    },
  );

  test("of nothing is an empty list, or headers alone", async () => {
    const { call } = await exporting([]);
    expect(await (await call(`${path}?format=json`)).json()).toEqual([]);
    expect(cellsOf(await (await call(`${path}?format=csv`)).text())).toHaveLength(1);
  });

  test("reads page by page, without a gap or a repeat", async () => {
    const { call, asked } = await exporting(many(2_500));
    const runs = (await (await call(`${path}?format=json`)).json()) as { id: string }[];
    expect(runs.map(({ id }) => id)).toEqual(many(2_500).map(({ runId }) => runId));
    expect(asked.map(({ limit, before }) => [limit, before])).toEqual([
      [1_000, null],
      [1_000, idOf(999)],
      [1_000, idOf(1_999)],
    ]);
  });

  test("asks for no page before the reader wants it", async () => {
    const { call, asked } = await exporting(many(5_000));
    const body = (await call(`${path}?format=json`)).body as ReadableStream<Uint8Array>;
    await body.cancel();
    expect(asked.length).toBeLessThan(3);
  });

  test("ends after 100,000 runs", async () => {
    const { call, asked } = await exporting(many(100_500));
    const text = await (await call(`${path}?format=csv`)).text();
    expect(text.split("\r\n")).toHaveLength(100_002);
    expect(asked).toHaveLength(100);
  });

  test("is a 503 when the database fails at once, and breaks off when it fails later", async () => {
    const atOnce = await exporting(many(1_500), 0);
    expect(await errorOf(await atOnce.call(`${path}?format=json`))).toMatchObject({ status: 503 });
    const later = await exporting(many(1_500), 1);
    await expect((await later.call(`${path}?format=json`)).text()).rejects.toThrow();
  });

  test.each([
    "",
    "format=xml",
    "format=csv&format=json",
    "format=csv&limit=5",
    "format=csv&cursor=x",
    "format=csv&x=1",
  ])("refuses ?%s", async (query) => {
    const { call, asked } = await exporting([]);
    expect(await errorOf(await call(`${path}?${query}`))).toMatchObject({
      status: 400,
      code: "invalid_request",
    });
    expect(asked).toEqual([]);
  });
});

test("payloads are no part of a file, whatever a list brings along", async () => {
  const { call } = await exporting([runWith({ input: plain("canary"), output: plain("canary") })]);
  for (const format of ["csv", "json"]) {
    expect(await (await call(`/api/runs/export?format=${format}`)).text()).not.toContain("canary");
  }
});
