/** Runs whose journal is far larger than a journal should be, in workerd. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { VALUE_LIMIT_BYTES } from "../../src/engine/codec.ts";
import { JOURNAL_LIMIT_BYTES, JOURNAL_LIMIT_ENTRIES } from "../../src/engine/journal.ts";
import type { Effect } from "../support/ledger.ts";
import { gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const STEPS = 12;
const PAGE = 8;
const LONG = JOURNAL_LIMIT_ENTRIES - 3;

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

/** A run that waits, with a journal of so many megabytes. */
async function heavy(steps = STEPS): Promise<string> {
  const id = await world.start("heavy", { steps, bytes: VALUE_LIMIT_BYTES });
  await world.waitsFor(id, "go");
  return id;
}

async function journalBytes(id: string): Promise<unknown> {
  const [row] = await world.database.rows("select journal_bytes from pawl.runs where id = $1", [id]);
  return row?.journal_bytes;
}

test("a run with a dozen outputs of a megabyte is replayed by a worker that has never seen it, and ends (N2)", async () => {
  const id = await heavy();
  await world.worker.restart();
  expect((await world.worker.post(`/api/runs/${id}/signals/go`, {})).status).toBe(202);
  expect(await world.reaches(id, "completed")).toMatchObject({ output: "light", steps_done: STEPS + 1 });
});

test("it can be listed, read in pages, paused, resumed, forked and cancelled (N2)", async () => {
  const id = await heavy();
  const page = (await world.worker.get(`/api/runs/${id}/journal?limit=${PAGE}`)).body as {
    entries: [];
    nextCursor: string;
  };
  expect(page.entries).toHaveLength(PAGE);
  const rest = await world.worker.get(`/api/runs/${id}/journal?limit=${PAGE}&cursor=${page.nextCursor}`);
  expect(rest.body).toMatchObject({ entries: { length: STEPS - PAGE }, nextCursor: null });
  expect((await world.worker.get("/api/runs")).body).toMatchObject({ runs: [{ id, status: "waiting" }] });
  expect((await world.worker.post(`/api/runs/${id}/pause`)).body).toMatchObject({ status: "paused" });
  expect((await world.worker.post(`/api/runs/${id}/resume`)).status).toBe(200);
  const { status, body } = await world.worker.post(`/api/runs/${id}/fork`, { from: "fill#12" });
  expect(status).toBe(201);
  const fork = (body as { id: string }).id;
  await world.waitsFor(fork, "go");
  for (const each of [id, fork]) {
    expect((await world.worker.post(`/api/runs/${each}/cancel`)).body).toMatchObject({ status: "cancelled" });
  }
});

test("a journal of as many bytes as there may be is replayed by a new worker; one of more fails its run by name (N2)", async () => {
  const most = JOURNAL_LIMIT_BYTES / VALUE_LIMIT_BYTES;
  const full = await heavy(most);
  expect(await journalBytes(full)).toBe(JOURNAL_LIMIT_BYTES);
  await world.worker.restart();
  await world.worker.post(`/api/runs/${full}/signals/go`, { payload: "one more" });
  const { failure } = await world.reaches(full, "failed");
  expect(failure).toMatchObject({
    code: "journal_too_large",
    message: expect.stringContaining("32000010 bytes"),
  });
  expect((await world.worker.get(`/api/runs/${full}`)).body).toMatchObject({ status: "failed" });
  const fork = await world.worker.post(`/api/runs/${full}/fork`, { from: `fill#${most}` });
  expect(fork.status).toBe(201);
  const { id } = fork.body as { id: string };
  expect(await journalBytes(id)).toBe(JOURNAL_LIMIT_BYTES - VALUE_LIMIT_BYTES);
  await world.waitsFor(id, "go");
  expect((await world.worker.post(`/api/runs/${id}/cancel`)).body).toMatchObject({ status: "cancelled" });
});

test(`a run with ${LONG} entries costs a claim and a commit a turn, reads them once, and is shown in pages (N3)`, async () => {
  const { gateway, broker, database, worker } = world;
  broker.pause();
  const id = await world.start("idle", { steps: LONG + 3 });
  await database.rows(
    `insert into pawl.journal (tenant, run_id, seq, kind, key, outcome, attempt, turn, started_at, recorded_at)
     select 'default', $1, n, 'step', case n when 1 then 'idle' else 'idle#' || n end, 'completed', 1, 0, now(), now()
     from generate_series(1, ${LONG}) n`,
    [id],
  );
  broker.resume();
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 3, lost_turns: 0 });
  const asked = gateway.answered.filter(({ verb }) => verb !== "start" && verb !== "read");
  const turns = asked.filter(({ verb }) => verb !== "read journal");
  expect(turns.map(({ verb }) => verb)).toEqual(["claim", "commit", "claim", "commit", "claim", "commit"]);
  const pages = asked.slice(
    1,
    asked.findIndex(({ verb }) => verb === "commit"),
  );
  expect(pages).toHaveLength(asked.length - turns.length);
  expect(pages.reduce((sum, { rows }) => sum + (rows[0] ?? 0), 0)).toBe(LONG);
  const known = turns
    .filter(({ verb }) => verb === "claim")
    .map(
      ({ queries }) => (JSON.parse(queries[0]?.params[0] as string) as [{ after?: number }])[0].after ?? 0,
    );
  expect(known).toEqual([0, LONG + 1, LONG + 2]);
  const page = (await worker.get(`/api/runs/${id}/journal?limit=${PAGE}`)).body as {
    entries: unknown[];
    nextCursor: string | null;
  };
  expect(page.entries).toHaveLength(PAGE);
  expect(page.nextCursor).not.toBeNull();
});

test.each([999, 1_000, 1_001])(
  "a run with %i steps side by side is seen and cancelled, and another like it completes (N1)",
  async (width) => {
    const { worker, ledger } = world;
    const door = gate<Effect>();
    ledger.onEffect = (effect) => door.pass(effect);
    const held = await world.start("fan", { width });
    await door.reached;
    expect((await worker.get(`/api/runs/${held}`)).body).toMatchObject({ id: held, status: "waiting" });
    expect((await worker.post(`/api/runs/${held}/cancel`)).body).toMatchObject({ status: "cancelled" });
    door.open();
    await worker.idle();
    const id = await world.start("fan", { width });
    expect(await world.reaches(id, "completed")).toMatchObject({ steps_done: width, lost_turns: 0 });
    expect(ledger.of(id)).toHaveLength(width);
  },
);
