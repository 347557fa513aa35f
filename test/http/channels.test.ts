import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defineWorkflow } from "../../src/engine/workflow.ts";
import { createLiveApp, type LiveApp } from "./live.ts";

const join = defineWorkflow({ name: "join" }, async ({ step, run }) => {
  await run.join("crew");
  return step.waitForSignal("go");
});

let app: LiveApp;
beforeAll(async () => {
  app = await createLiveApp([join]);
});
afterEach(async () => {
  await app.database.rows("truncate pawl.channels, pawl.messages");
  expect(await app.database.rows("select * from pawl.stuck_runs")).toEqual([]);
});
afterAll(() => app?.stop());

const SOMEBODY = "01K7Z3QX5V8M2N4P6R8T0W1Y3A";
const publish = (channel: string, body: unknown) =>
  app.post(`/api/channels/${encodeURIComponent(channel)}/messages`, body);
const refused = ({ status, body }: { status: number; body: unknown }) => [
  status,
  (body as { error?: { code: string } }).error?.code,
];

describe("publishing", () => {
  test("answers 202 with the message's id, given or made", async () => {
    expect(await publish("news", { payload: 1, id: "mine" })).toEqual({ status: 202, body: { id: "mine" } });
    expect(await publish("news", { payload: 2 })).toEqual({ status: 202, body: { id: app.runtime.uuid() } });
    expect(await publish("replies", { payload: null, to: SOMEBODY })).toMatchObject({ status: 202 });
    expect(
      await app.database.rows("select channel, dedupe_id, payload, to_run from pawl.messages order by id"),
    ).toEqual([
      { channel: "news", dedupe_id: "mine", payload: 1, to_run: null },
      { channel: "news", dedupe_id: app.runtime.uuid(), payload: 2, to_run: null },
      { channel: "replies", dedupe_id: app.runtime.uuid(), payload: null, to_run: SOMEBODY },
    ]);
  });

  test.each([
    ["an unknown field", "news", { payload: 1, too: SOMEBODY }],
    ["a receiver that is no run's id", "news", { payload: 1, to: "you" }],
    ["an empty id", "news", { payload: 1, id: "" }],
    ["an id of more than 200 characters", "news", { payload: 1, id: "x".repeat(201) }],
    ["a channel with a #", "a#b", { payload: 1 }],
    ["a channel with U+0000", "a\u0000b", { payload: 1 }],
    ["a channel of more than 100 characters", "x".repeat(101), { payload: 1 }],
  ])("refuses %s", async (_what, channel, body) => {
    expect(refused(await publish(channel, body))).toEqual([400, "invalid_request"]);
    expect(await app.database.rows("select from pawl.channels")).toEqual([]);
  });

  test("refuses a payload that cannot be stored", async () => {
    expect(refused(await publish("news", { payload: "\u0000" }))).toEqual([422, "unstorable_value"]);
  });

  test("refuses a receiver where the mode has none, and none where it has one", async () => {
    await app.database.rows("insert into pawl.channels values ('default', 'news', 'broadcast')");
    await publish("news", { payload: 1 });
    await publish("replies", { payload: 1, to: SOMEBODY });
    for (const answer of [
      await publish("news", { payload: 2, to: SOMEBODY }),
      await publish("replies", { payload: 2 }),
    ]) {
      expect(refused(answer)).toEqual([409, "channel_mode_conflict"]);
    }
    expect(await app.database.rows("select from pawl.messages")).toHaveLength(2);
  });
});

describe("the list of channels", () => {
  test("shows each with its mode and counts, by name, page by page, whatever the names", async () => {
    for (const name of ["ship & pay", "a/b", "über", "日本"]) await publish(name, { payload: name });
    const names: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const { status, body } = await app.get(
        `/api/channels?limit=1${cursor === "" ? "" : `&cursor=${cursor}`}`,
      );
      expect(status).toBe(200);
      const page = body as { channels: { name: string }[]; nextCursor: string | null };
      expect(page.channels).toEqual([
        { name: expect.any(String), mode: null, subscribers: 0, waiting: 0, messages: 1 },
      ]);
      names.push(...page.channels.map(({ name }) => name));
      cursor = page.nextCursor;
    }
    expect(names.sort()).toEqual(["ship & pay", "a/b", "über", "日本"].sort());
  });

  test.each(["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "mode=direct"])(
    "refuses %s",
    async (query) => {
      expect(refused(await app.get(`/api/channels?${query}`))).toEqual([400, "invalid_request"]);
    },
  );

  test.each(["%", "AA", "", "JTAw"])("refuses the cursor %s", async (cursor) => {
    const answer = await app.get(`/api/channels?cursor=${encodeURIComponent(cursor)}`);
    expect(refused(answer)).toEqual([400, "invalid_cursor"]);
  });
});

describe("groups", () => {
  test("show their members, page by page, and signal them all", async () => {
    const ids = [await app.start("join"), await app.start("join"), await app.start("join")];
    await app.drive(...ids);
    const first = await app.get("/api/groups/crew?limit=2");
    const { members, nextCursor } = first.body as { members: unknown[]; nextCursor: string };
    expect(members).toEqual(
      ids
        .slice(0, 2)
        .map((id) => ({ id, workflow: "join", status: "waiting", joinedAt: expect.any(String) })),
    );
    const second = await app.get(`/api/groups/crew?limit=2&cursor=${nextCursor}`);
    expect(second.body).toMatchObject({ members: [{ id: ids[2] }], nextCursor: null });
    const body = { payload: { to: "sea" }, id: "once" };
    const sent = [
      await app.post("/api/groups/crew/signals/go", body),
      await app.post("/api/groups/crew/signals/go", body),
    ];
    expect(sent).toEqual([1, 2].map(() => ({ status: 202, body: { signalled: 3 } })));
    await app.drive(...ids);
    const rows = await app.database.rows("select status, output from pawl.runs where id = any($1)", [ids]);
    expect(rows).toEqual(ids.map(() => ({ status: "completed", output: { to: "sea" } })));
    expect(await app.post("/api/groups/crew/signals/go")).toEqual({ status: 202, body: { signalled: 0 } });
  });

  test("that nobody is in are empty", async () => {
    expect(await app.get("/api/groups/nobody")).toEqual({
      status: 200,
      body: { members: [], nextCursor: null },
    });
  });

  test.each(["/api/groups/a%23b/signals/go", "/api/groups/crew/signals/pay%23hook"])(
    "refuse %s",
    async (path) => {
      expect(refused(await app.post(path))).toEqual([400, "invalid_request"]);
    },
  );
});
