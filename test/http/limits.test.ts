/**
 * At each limit of the API, one below it and one above; and runs that stand at a limit or ran over one: people can still do
 * everything with them. The body, its nesting and its keys are in `body.test.ts`.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { VALUE_LIMIT_BYTES } from "../../src/engine/codec.ts";
import { defineGraph } from "../../src/engine/graph.ts";
import { defineWorkflow } from "../../src/engine/workflow.ts";
import { createLiveApp, type LiveApp } from "./live.ts";

/** Three bytes of UTF-8, and nine in a URL. */
const WIDE = "語";
const LONG_NAME = WIDE.repeat(200);
const LONG_LABEL = WIDE.repeat(100);

const any = defineWorkflow({ name: "any" }, async ({ step }) => step.waitForSignal("go"));

const growing = defineGraph({
  name: "growing",
  steps: { gate: { gate: true }, last: { after: ["gate"], run: () => "L" } },
  handlers: { work: () => null },
});

/** A step gives a text that takes so many bytes as JSON; then the run waits. */
const large = defineWorkflow(
  { name: "large", input: z.object({ bytes: z.number().int() }) },
  async ({ input, step }) => {
    const text = await step.run("large", () => {
      const wide = Math.floor((input.bytes - 2) / 3);
      return WIDE.repeat(wide) + "x".repeat(input.bytes - 2 - 3 * wide);
    });
    await step.waitForSignal("go");
    return text;
  },
);

/** Everything that has a name, with the longest that it may have. */
const named = defineWorkflow({ name: "named" }, async ({ step, run }) => {
  await step.run(LONG_NAME, () => 1);
  await step.run(LONG_NAME, () => 2);
  await run.join(LONG_LABEL);
  await run.set(LONG_LABEL, "state");
  await step.subscribe(LONG_LABEL);
  await step.emit(LONG_NAME, { type: "t".repeat(200), subject: LONG_NAME });
  await step.start("child", any, null, { tags: Array.from({ length: 20 }, (_, i) => LONG_LABEL.slice(i)) });
  return step.waitForSignal("wait", { signal: LONG_LABEL });
});

/** Takes so many signals, one after the other. */
const taking = defineWorkflow(
  { name: "taking", input: z.object({ signals: z.number().int() }) },
  async ({ input, step }) => {
    for (let i = 0; i < input.signals; i++) await step.waitForSignal("go");
    return "took all";
  },
);

let app: LiveApp;
beforeAll(async () => {
  app = await createLiveApp([any, growing, large, named, taking]);
});
afterEach(async () => {
  expect(await app.database.rows("select * from pawl.stuck_runs")).toEqual([]);
});
afterAll(() => app?.stop());

const runOf = async (id: string) =>
  (await app.get(`/api/runs/${id}`)).body as {
    status: string;
    turn: number;
    output: unknown;
    failure: unknown;
  };
const start = (body: object, headers = {}) => app.post("/api/workflows/any/runs", body, headers);
const steps = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ name: `step ${i}`, handler: "work" }));

/** The status of a request that is as large as `amount` says. */
type Ask = (amount: number) => Promise<{ readonly status: number }>;

describe("what is within its limit is accepted, and what is above it is refused with a 4xx", () => {
  test.each<[string, number, Ask]>([
    ["tags", 20, (n) => start({ tags: Array.from({ length: n }, (_, i) => `tag ${i}`) })],
    ["characters of a tag", 100, (n) => start({ tags: [WIDE.repeat(n)] })],
    ["characters of an idempotency key", 200, (n) => start({}, { "idempotency-key": "k".repeat(n) })],
    ["milliseconds of a delay", 315_360_000_000, (delay) => start({ delay })],
    ["milliseconds of a deadline", 315_360_000_000, (deadline) => start({ deadline })],
    [
      "characters of a signal's name",
      100,
      async (n) => app.post(`/api/runs/${await app.start("any")}/signals/${WIDE.repeat(n)}`, { payload: 1 }),
    ],
    [
      "characters of a signal's id",
      200,
      async (n) => app.post(`/api/runs/${await app.start("any")}/signals/go`, { id: WIDE.repeat(n) }),
    ],
    ["characters of a channel's name", 100, (n) => app.post(`/api/channels/${WIDE.repeat(n)}/messages`, {})],
    [
      "characters of a message's id",
      200,
      (n) => app.post("/api/channels/news/messages", { id: WIDE.repeat(n) }),
    ],
    ["characters of a group's name", 100, (n) => app.post(`/api/groups/${WIDE.repeat(n)}/signals/go`, {})],
    [
      "appended steps",
      500,
      async (n) => {
        const id = await app.start("growing");
        return app.post(`/api/runs/${id}/steps`, { gate: "gate", steps: steps(n) }, { "mutation-key": "m" });
      },
    ],
    [
      "characters of a mutation key",
      200,
      async (n) => {
        const id = await app.start("growing");
        const key = { "mutation-key": "m".repeat(n) };
        return app.post(`/api/runs/${id}/steps`, { gate: "gate", steps: steps(1) }, key);
      },
    ],
    ...["runs", "dead-letters", "events", "channels", "groups/crew"].map((list): [string, number, Ask] => [
      `lines of a page of ${list}`,
      100,
      (n) => app.get(`/api/${list}?limit=${n}`),
    ]),
    [
      "lines of a page of the journal",
      100,
      async (n) => app.get(`/api/runs/${await app.start("any")}/journal?limit=${n}`),
    ],
    ["characters of a tag that is looked for", 100, (n) => app.get(`/api/runs?tag=${WIDE.repeat(n)}`)],
    [
      "characters of an input that is looked for",
      1_000,
      (n) => app.get(`/api/runs?input.a=${WIDE.repeat(n)}`),
    ],
    ["names on the way to it", 10, (n) => app.get(`/api/runs?input.${new Array(n).fill("a").join(".")}=1`)],
  ])("%s: %i", async (_, limit, ask) => {
    const under = [(await ask(limit - 1)).status, (await ask(limit)).status];
    expect(under.every((status) => status >= 200 && status < 300)).toBe(true);
    const over = (await ask(limit + 1)).status;
    expect([400, 422]).toContain(over);
  });
});

describe("a run that stands at a limit or ran over one", () => {
  /** What people may do with a run that waits, whatever it holds. */
  async function handle(id: string) {
    expect((await app.get(`/api/runs/${id}/journal?limit=100`)).status).toBe(200);
    expect((await app.get("/api/runs?limit=100")).status).toBe(200);
    expect((await app.post(`/api/runs/${id}/pause`)).status).toBe(200);
    expect((await app.post(`/api/runs/${id}/resume`)).status).toBe(200);
    const again = await app.post(`/api/runs/${id}/rerun`);
    expect(again.status).toBe(201);
    expect((await app.post(`/api/runs/${id}/cancel`)).body).toMatchObject({ status: "cancelled" });
    expect((await app.post(`/api/runs/${(again.body as { id: string }).id}/cancel`)).status).toBe(200);
  }

  test.each([VALUE_LIMIT_BYTES - 1, VALUE_LIMIT_BYTES])(
    "a step's output and the run's of %i bytes are kept as they are (N2)",
    async (bytes) => {
      const id = await app.start("large", { input: { bytes } });
      await app.drive(id);
      const waiting = await app.start("large", { input: { bytes } });
      await app.drive(waiting);
      await handle(waiting);
      await app.post(`/api/runs/${id}/signals/go`);
      await app.drive(id);
      const { status, output } = await runOf(id);
      expect(status).toBe("completed");
      expect(new TextEncoder().encode(JSON.stringify(output))).toHaveLength(bytes);
    },
  );

  test("an output of one byte more fails its step by name, and the run can be seen, revived, run again and put away (N2)", async () => {
    const id = await app.start("large", { input: { bytes: VALUE_LIMIT_BYTES + 1 } });
    await app.drive(id);
    expect(await runOf(id)).toMatchObject({
      status: "failed",
      failure: { code: "step_failed", step: "large", cause: { code: "unstorable_value" } },
    });
    expect((await app.post(`/api/runs/${id}/cancel`)).body).toMatchObject({
      error: { code: "wrong_status" },
    });
    expect((await app.post(`/api/dead-letters/${id}/revive`)).status).toBe(200);
    await app.drive(id);
    expect((await app.get(`/api/runs/${id}/journal`)).body).toMatchObject({
      entries: [{ outcome: "failed", attempt: 1 }, { outcome: "revived" }, { outcome: "failed", attempt: 2 }],
    });
    expect((await app.post(`/api/runs/${id}/rerun`, { input: { bytes: 10 } })).status).toBe(201);
    expect((await app.post(`/api/dead-letters/${id}/discard`)).status).toBe(200);
  });

  test("with names as long and as wide as they may be goes all the way", async () => {
    const id = await app.start("named");
    await app.drive(id);
    expect(await runOf(id)).toMatchObject({ status: "waiting" });
    const label = encodeURIComponent(LONG_LABEL);
    expect((await app.get(`/api/groups/${label}`)).body).toMatchObject({ members: [{ id }] });
    expect((await app.get(`/api/runs/${id}/state/${label}`)).body).toMatchObject({ value: "state" });
    expect((await app.get(`/api/runs?tag=${label}&parent=${id}`)).body).toMatchObject({
      runs: [{ workflow: "any" }],
    });
    const forked = await app.post(`/api/runs/${id}/fork`, { from: `${LONG_NAME}#2` });
    expect(forked.status).toBe(201);
    await app.drive((forked.body as { id: string }).id);
    expect((await app.post(`/api/channels/${label}/messages`, { payload: 1 })).status).toBe(202);
    expect((await app.post(`/api/runs/${id}/signals/${label}`, { payload: "heard" })).status).toBe(202);
    await app.drive(id);
    expect(await runOf(id)).toMatchObject({ status: "completed", output: "heard" });
  });

  test("an event whose step has the longest name is delivered again like any other", async () => {
    const id = await app.start("named");
    await app.drive(id);
    await app.runtime.store.routeEvents([{ sink: "all", types: ["*"] }], 10);
    await app.database.rows(
      "update pawl.outbox_sends set status = 'dead', next_at = null where run_id = $1",
      [id],
    );
    const { events } = (await app.get(`/api/events?run=${id}`)).body as { events: { id: string }[] };
    const eventId = events[0]?.id ?? "";
    expect(eventId.length).toBeGreaterThan(1_800);
    const answer = await app.post(`/api/events/${encodeURIComponent(eventId)}/redeliver`);
    expect(answer).toMatchObject({ status: 200, body: { sends: [{ status: "pending" }] } });
    await app.post(`/api/runs/${id}/cancel`);
  });

  test.each([999, 1_000, 1_001])("with %i signals in its inbox takes them all", async (signals) => {
    const id = await app.start("taking", { input: { signals } });
    const sent = Array.from({ length: signals }, (_, i) => ({
      runId: id,
      name: "go",
      payload: { json: i, meta: null },
      id: null,
    }));
    await app.runtime.store.deliverSignals("default", sent);
    await app.drive(id);
    expect(await runOf(id)).toMatchObject({ status: "completed", output: "took all" });
    const [journal] = await app.database.rows(
      "select count(*)::int, count(distinct output)::int as different from pawl.journal where run_id = $1",
      [id],
    );
    expect(journal).toEqual({ count: signals, different: signals });
  });
});
