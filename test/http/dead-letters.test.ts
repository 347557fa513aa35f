/** Dead letters by what they have in common, and what people did to them, on the real store. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { defineWorkflow } from "../../src/engine/workflow.ts";
import { createLiveApp, type LiveApp } from "./live.ts";
import { errorCodeOf } from "./support.ts";

const HOUR = 3_600_000;
const ONCE = { retry: { maxAttempts: 1 } };

class CardDeclined extends Error {
  override readonly name = "CardDeclined";
}

const order = (version: number) =>
  defineWorkflow(
    { name: "order", version, input: z.object({ message: z.string(), step: z.string().optional() }) },
    async ({ input, step }) => {
      const fail = () => {
        throw new CardDeclined(input.message);
      };
      await step.run(input.step ?? "charge", fail, ONCE);
    },
  );
const invoice = defineWorkflow(
  { name: "invoice", input: z.object({ message: z.string() }) },
  async ({ input, step }) => {
    const fail = () => {
      throw new CardDeclined(input.message);
    };
    await step.run("charge", fail, ONCE);
  },
);

let app: LiveApp;
beforeAll(async () => {
  app = await createLiveApp([order(1), order(2), invoice]);
});
beforeEach(async () => {
  for (const table of ["runs", "journal", "run_tags", "actions"])
    await app.database.rows(`truncate pawl.${table}`);
});
afterEach(async () => {
  expect(await app.database.rows("select * from pawl.stuck_runs")).toEqual([]);
});
afterAll(() => app?.stop());

interface Group {
  readonly fingerprint: string;
  readonly workflow: string;
  readonly step: string;
  readonly name: string;
  readonly message: string;
  readonly count: number;
  readonly hours: readonly number[];
  readonly firstAt: string;
  readonly lastAt: string;
}

async function failed(
  message: string,
  options: { workflow?: string; version?: number; step?: string; tags?: string[] } = {},
) {
  const { workflow = "order", step, ...rest } = options;
  const id = await app.start(workflow, {
    input: { message, ...(step === undefined ? {} : { step }) },
    ...rest,
  });
  await app.drive(id);
  return id;
}
const groupsOf = async (query = "") =>
  (await app.get(`/api/dead-letters/groups${query}`)).body as { groups: Group[]; exact: boolean };

describe("groups of dead letters", () => {
  test("are those of one workflow, step and error, whatever ids and numbers its message names", async () => {
    const first = await failed('card of order-1001 declined: "too poor", pay_77, 12.50 EUR');
    const last = await failed('card of order-2 declined: "no such card", pay_1, 3 EUR', { version: 1 });
    await failed("something else");
    await failed("card of order-3", { step: "refund" });
    await failed("something else", { workflow: "invoice" });
    const { groups, exact } = await groupsOf();
    expect(exact).toBe(true);
    expect(groups).toHaveLength(4);
    expect(groups[0]).toMatchObject({
      workflow: "order",
      step: "charge",
      name: "CardDeclined",
      message: 'card of order-2 declined: "no such card", pay_1, 3 EUR',
      count: 2,
      failed: 2,
      dead: 0,
      versions: [1, 2],
      newerVersion: null,
      registered: true,
      sampleId: last,
    });
    const { fingerprint } = groups[0] as Group;
    expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
    const { runs } = (await app.get(`/api/dead-letters?fingerprint=${fingerprint}`)).body as {
      runs: { id: string }[];
    };
    expect(runs.map(({ id }) => id)).toEqual([last, first]);
  });

  test("tell whether a newer version than any of theirs is deployed, and whether the workflow is there at all", async () => {
    await failed("old", { version: 1 });
    expect((await groupsOf()).groups[0]).toMatchObject({ versions: [1], newerVersion: 2 });
    await app.database.rows("update pawl.runs set workflow = 'gone'");
    expect((await groupsOf()).groups[0]).toMatchObject({ registered: false, newerVersion: null });
  });

  test("tell when they ended, hour by hour", async () => {
    await failed("x");
    await app.database.moveClock(3 * HOUR);
    await failed("x");
    await failed("x");
    const [group] = (await groupsOf()).groups;
    expect(group?.hours).toEqual([...Array(20).fill(0), 1, 0, 0, 2]);
    expect(Date.parse(group?.lastAt ?? "") - Date.parse(group?.firstAt ?? "")).toBeGreaterThanOrEqual(
      3 * HOUR,
    );
    await app.database.moveClock(24 * HOUR);
    expect((await groupsOf()).groups[0]?.hours).toEqual(Array(24).fill(0));
  });

  test("come the largest first, and only of what is asked for", async () => {
    await failed("rare", { tags: ["eu"] });
    for (let i = 0; i < 3; i++) await failed("common", { tags: ["us"] });
    expect((await groupsOf()).groups.map(({ message, count }) => [message, count])).toEqual([
      ["common", 3],
      ["rare", 1],
    ]);
    expect((await groupsOf("?tag=eu")).groups.map(({ message }) => message)).toEqual(["rare"]);
    expect(await groupsOf("?workflow=invoice")).toEqual({ groups: [], exact: true });
    expect((await groupsOf("?status=dead")).groups).toEqual([]);
  });

  test("lose what is discarded or revived", async () => {
    const [one, other] = [await failed("x"), await failed("x")];
    await app.post(`/api/dead-letters/${one}/discard`);
    expect((await groupsOf()).groups[0]?.count).toBe(1);
    await app.post(`/api/dead-letters/${other}/revive`);
    expect((await groupsOf()).groups).toEqual([]);
    await app.drive(other);
  });
});

test.each(["", "x", "0123456789abcdeg", "0123456789ABCDEF", "' or 1=1 --", "%00"])(
  "a fingerprint that no group has the form of is refused: %j",
  async (fingerprint) => {
    expect(errorCodeOf(await app.get(`/api/dead-letters?fingerprint=${fingerprint}`))).toBe(
      "invalid_request",
    );
    expect(errorCodeOf(await app.get(`/api/runs?fingerprint=0123456789abcdef`))).toBe("invalid_request");
  },
);

describe("what a message has in common with others of its kind", () => {
  test.each([
    ["order-1002 not found", "order-# not found"],
    ["run 01M7YESCS8AV6MMKQKV5JGV9SG is gone", "run # is gone"],
    ["f47ac10b-58cc-4372-a567-0e02b2c3d479 expired", "# expired"],
    ["POST http://127.0.0.1:8788/charges/17 answered 503", "POST http://#/charges/# answered #"],
    ['cannot read "sku" of `line`', 'cannot read "…" of "…"'],
    ["unknown key 'a' and 'b'", 'unknown key "…" and "…"'],
    ["1,234.50 of 7 at 2026-01-31T12:00:00.000Z", "#,# of # at #"],
    ["nothing to leave out", "nothing to leave out"],
    ["", ""],
  ])("%j is %j", async (message, normalised) => {
    const [row] = await app.database.rows("select pawl.normalised($1) as text", [message]);
    expect(row).toEqual({ text: normalised });
  });

  test("is found in the longest message at once", async () => {
    for (const message of ["'".repeat(4_000), "1".repeat(4_000), "a1-".repeat(1_300), "x".repeat(4_000)]) {
      const [row] = await app.database.rows<{ text: string }>("select pawl.normalised($1) as text", [
        message,
      ]);
      expect(row?.text.length).toBeLessThanOrEqual(450);
    }
  });
});

interface Action {
  readonly id: string;
  readonly verb: string;
  readonly note: string | null;
}

describe("the history of a run", () => {
  const historyOf = async (id: string, query = "") =>
    (await app.get(`/api/runs/${id}/history${query}`)).body as {
      actions: Action[];
      nextCursor: string | null;
    };

  test("tells who did what to it, newest first, and what was noted", async () => {
    const id = await failed("x");
    const noted = await app.post(`/api/runs/${id}/notes`, { note: "prices were wrong" });
    expect(noted.status).toBe(201);
    await app.post(`/api/dead-letters/${id}/discard`);
    await app.post(`/api/dead-letters/${id}/revive`);
    await app.post(`/api/runs/${id}/pause`);
    await app.post(`/api/runs/${id}/resume`);
    await app.post(`/api/runs/${id}/cancel`);
    const rerun = (await app.post(`/api/runs/${id}/rerun`)).body as { id: string };
    const forked = (await app.post(`/api/runs/${id}/fork`, { from: "charge" })).body as { id: string };
    const { actions } = await historyOf(id);
    expect(actions.map(({ verb }) => verb)).toEqual(
      ["note", "discard", "revive", "pause", "resume", "cancel", "rerun", "fork"].reverse(),
    );
    expect(actions[0]).toMatchObject({
      runId: id,
      by: "admin",
      newRunId: forked.id,
      bulkId: null,
      note: null,
    });
    expect(actions[1]).toMatchObject({ newRunId: rerun.id });
    expect(actions.at(-1)).toEqual(noted.body);
    expect(noted.body).toMatchObject({ verb: "note", note: "prices were wrong" });
    await app.drive(rerun.id, forked.id);
  });

  test("says nothing of what was refused", async () => {
    const id = await failed("x");
    expect((await app.post(`/api/runs/${id}/resume`)).status).toBe(409);
    expect((await historyOf(id)).actions).toEqual([]);
  });

  test("comes in pages, of one run and of all", async () => {
    const [one, other] = [await failed("x"), await failed("x")];
    for (const note of ["1", "2", "3"]) await app.post(`/api/runs/${one}/notes`, { note });
    await app.post(`/api/runs/${other}/notes`, { note: "4" });
    const first = await historyOf(one, "?limit=2");
    expect(first.actions.map(({ note }) => note)).toEqual(["3", "2"]);
    const second = await historyOf(one, `?limit=2&cursor=${first.nextCursor}`);
    expect(second).toMatchObject({ actions: [{ note: "1" }], nextCursor: null });
    const all = (await app.get("/api/history")).body as { actions: Action[] };
    expect(all.actions.map(({ note }) => note)).toEqual(["4", "3", "2", "1"]);
  });

  test("needs a run, and something to note", async () => {
    const nobody = "01K7Z3QX5V8M2N4P6R8T0W1Y3A";
    expect(errorCodeOf(await app.get(`/api/runs/${nobody}/history`))).toBe("run_not_found");
    expect(errorCodeOf(await app.post(`/api/runs/${nobody}/notes`, { note: "x" }))).toBe("run_not_found");
    const id = await failed("x");
    for (const body of [
      {},
      { note: "" },
      { note: "x".repeat(2_001) },
      { note: 1 },
      { note: "x", by: "me" },
    ]) {
      expect(errorCodeOf(await app.post(`/api/runs/${id}/notes`, body))).toBe("invalid_request");
    }
  });
});
