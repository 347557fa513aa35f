import { expect, test } from "vitest";
import type { EventFilter, EventLine } from "../../src/engine/event.ts";
import { encodeCursor } from "../../src/http/cursor.ts";
import { appWith, errorOf, NOW, RUN_ID } from "./support.ts";

const ID = `${RUN_ID}/charge%20card/1`;

function line(fields: Partial<EventLine> = {}): EventLine {
  const event = { tenant: "default", runId: RUN_ID, workflow: "echo", type: "a", subject: null };
  return { ...event, id: ID, seq: 7, emittedAt: NOW, sends: [], ...fields };
}

/** `seqs` are those of the events that there are. */
async function list(seqs: readonly number[]) {
  const questions: [string, EventFilter, number, number | null][] = [];
  const { call } = await appWith({
    reads: {
      events: async (...question) => {
        questions.push(question);
        return seqs.map((seq) => line({ seq })).slice(0, question[2]);
      },
    },
  });
  return { call, asked: () => questions.at(-1) };
}

test("a page names the tenant, the filter and where it begins", async () => {
  const { call, asked } = await list([]);
  expect(await (await call("/api/events")).json()).toEqual({ events: [], nextCursor: null });
  expect(asked()).toEqual(["default", {}, 26, null]);
  const cursor = encodeCursor(12_345_678_901);
  await call(`/api/events?status=dead&run=${RUN_ID}&limit=100&cursor=${cursor}`);
  expect(asked()).toEqual(["default", { status: "dead", run: RUN_ID }, 101, 12_345_678_901]);
});

test("the cursor names the last event shown, and there is none on the last page", async () => {
  const { call } = await list([9, 8, 7]);
  const first = (await (await call("/api/events?limit=2")).json()) as { nextCursor: string };
  expect(first.nextCursor).toBe(encodeCursor(8));
  const all = (await (await call("/api/events?limit=3")).json()) as { nextCursor: null };
  expect(all.nextCursor).toBeNull();
});

test.each(["status=lost", "run=7", "limit=0", "limit=101", "sink=a", "status=dead&status=sent"])(
  "%s is refused",
  async (query) => {
    const { call } = await list([]);
    expect(await errorOf(await call(`/api/events?${query}`))).toMatchObject({ code: "invalid_request" });
  },
);

test.each([
  "MQ=",
  "x",
  encodeCursor("-1"),
  encodeCursor("01"),
  encodeCursor("1".repeat(17)),
  encodeCursor(RUN_ID),
])("the cursor %s is refused", async (cursor) => {
  const { call } = await list([]);
  expect(await errorOf(await call(`/api/events?cursor=${cursor}`))).toMatchObject({ code: "invalid_cursor" });
});

test("an event is named by its id, URL-encoded, and answered with where it goes", async () => {
  const asked: string[] = [];
  const send = {
    sink: "a",
    status: "pending",
    attempts: 0,
    nextAt: NOW,
    lastError: null,
    sentAt: null,
  } as const;
  const { post } = await appWith({
    store: {
      redeliverEvent: async (_tenant, id) => {
        asked.push(id);
        return "redelivered";
      },
    },
    reads: { event: async () => line({ sends: [send] }) },
  });
  const answer = await post(`/api/events/${encodeURIComponent(ID)}/redeliver`, {});
  expect([answer.status, asked]).toEqual([200, [ID]]);
  const at = new Date(NOW).toISOString();
  expect(await answer.json()).toEqual({
    id: ID,
    runId: RUN_ID,
    workflow: "echo",
    type: "a",
    subject: null,
    emittedAt: at,
    sends: [{ ...send, nextAt: at }],
  });
});

test.each([
  ["not_found", 404, "event_not_found"],
  ["not_dead", 409, "event_not_dead"],
] as const)("what is %s is answered with %i", async (result, status, code) => {
  const { post } = await appWith({ store: { redeliverEvent: async () => result } });
  const answer = await post(`/api/events/${encodeURIComponent(ID)}/redeliver`, {});
  expect(await errorOf(answer)).toMatchObject({ status, code });
});

test("an id that Postgres could not look for is that of no event", async () => {
  const { post } = await appWith();
  expect(await errorOf(await post("/api/events/a%00b/redeliver", {}))).toMatchObject({
    code: "event_not_found",
  });
});
