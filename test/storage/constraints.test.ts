/** What the database itself refuses, and what `stuck_runs` finds. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { openSession, type Session } from "./support/sessions.ts";

let database: TestDatabase;
let session: Session;

beforeAll(async () => {
  database = await createDatabase();
  session = await openSession(database.url);
});
afterAll(async () => {
  await session.end();
  await database.drop();
});

/** Runs `statements` in a transaction that leaves nothing behind. */
async function tryOut<T>(statements: readonly string[], ask: string): Promise<T[]> {
  await session.query("begin");
  try {
    for (const statement of statements) await session.query(statement);
    return await session.query<T>(ask);
  } finally {
    await session.query("rollback");
  }
}

type Columns = Readonly<Record<string, string>>;

function insert(table: string, columns: Columns): string {
  return `insert into pawl.${table} (${Object.keys(columns).join(", ")}) values (${Object.values(columns).join(", ")})`;
}

const run = (columns: Columns = {}): string =>
  insert("runs", {
    tenant: "'t'",
    id: "'1'",
    workflow: "'w'",
    version: "1",
    status: "'ready'",
    wake_at: "now()",
    created_at: "now()",
    tags: "'{}'",
    input: "'1'",
    ...columns,
  });
const parked = (status: string): Columns => ({ status: `'${status}'` });
const running: Columns = { status: "'running'", wake_at: "null", lease_expires_at: "now()" };
const completed: Columns = { status: "'completed'", wake_at: "null", finished_at: "now()" };
const cancelled: Columns = { ...completed, status: "'cancelled'" };
const failed: Columns = { ...completed, status: "'failed'", failure: "'{}'" };
const dead: Columns = { ...failed, status: "'dead'" };

const line = (columns: Columns = {}): string =>
  insert("journal", {
    tenant: "'t'",
    run_id: "'1'",
    seq: "1",
    kind: "'step'",
    key: "'a'",
    outcome: "'completed'",
    attempt: "1",
    turn: "1",
    started_at: "now()",
    recorded_at: "now()",
    ...columns,
  });
const retrying: Columns = { outcome: "'retrying'", failure: "'{}'", retry_at: "now()" };
const revival: Columns = { kind: "'revival'", key: "null", outcome: "'revived'", failure: "'{}'" };

const timer = insert("timers", {
  tenant: "'t'",
  run_id: "'1'",
  key: "'nap'",
  begun_at: "now()",
  due_at: "now()",
  turn: "1",
});

describe("the database takes", () => {
  test.each([
    ["a ready run", run(parked("ready"))],
    ["a waiting run", run(parked("waiting"))],
    ["a running run", run(running)],
    ["a completed run", run({ ...completed, output: "'1'" })],
    ["a cancelled run", run(cancelled)],
    ["a failed run", run(failed)],
    ["a discarded dead run", run({ ...dead, discarded_at: "now()" })],
    ["a completed entry", line({ output: "'1'" })],
    ["a retrying entry", line(retrying)],
    ["a failed entry", line({ outcome: "'failed'", failure: "'{}'" })],
    ["a revival", line(revival)],
  ])("%s", async (_, statement) => {
    await tryOut([statement], "select 1");
  });
});

describe("the database refuses", () => {
  test.each<[string, string, string[]]>([
    ["status_is_known", "a status that nobody knows", [run({ ...parked("paused"), wake_at: "null" })]],
    ["leased_iff_running", "a running run without a lease", [run({ status: "'running'", wake_at: "null" })]],
    ["leased_iff_running", "a lease on a ready run", [run({ lease_expires_at: "now()" })]],
    ["due_iff_parked", "a waiting run that is never due", [run({ ...parked("waiting"), wake_at: "null" })]],
    ["due_iff_parked", "a ready run that is never due", [run({ wake_at: "null" })]],
    ["due_iff_parked", "a running run that is due", [run({ ...running, wake_at: "now()" })]],
    ["due_iff_parked", "a completed run that is due", [run({ ...completed, wake_at: "now()" })]],
    [
      "finished_iff_final",
      "a completed run that never finished",
      [run({ ...completed, finished_at: "null" })],
    ],
    ["finished_iff_final", "a ready run that has finished", [run({ finished_at: "now()" })]],
    [
      "finished_iff_final",
      "a cancelled run that never finished",
      [run({ ...cancelled, finished_at: "null" })],
    ],
    ["failure_iff_dead_letter", "a failed run without a failure", [run({ ...failed, failure: "null" })]],
    ["failure_iff_dead_letter", "a dead run without a failure", [run({ ...dead, failure: "null" })]],
    ["failure_iff_dead_letter", "a completed run with a failure", [run({ ...completed, failure: "'{}'" })]],
    ["failure_iff_dead_letter", "a ready run with a failure", [run({ failure: "'{}'" })]],
    [
      "only_dead_letters_are_discarded",
      "a completed run that is discarded",
      [run({ ...completed, discarded_at: "now()" })],
    ],
    ["output_only_when_completed", "a failed run with an output", [run({ ...failed, output: "'1'" })]],
    ["output_only_when_completed", "a ready run with an output", [run({ output: "'1'" })]],
    ["runs_pkey", "a second run of an id", [run(), run()]],
    [
      "runs_by_idempotency_key",
      "a second run of a key",
      [run({ idempotency_key: "'k'" }), run({ id: "'2'", idempotency_key: "'k'" })],
    ],
    ["journal_pkey", "a second entry in a place", [line(), line({ key: "'b'" })]],
    ["once_per_attempt", "a second entry of an attempt", [line(retrying), line({ seq: "2" })]],
    ["journal_completed_once", "a second completion of a key", [line(), line({ seq: "2", attempt: "2" })]],
    ["kind_is_known", "a kind that nobody knows", [line({ kind: "'signal'" })]],
    ["outcome_is_known", "an outcome that nobody knows", [line({ outcome: "'lost'", failure: "'{}'" })]],
    ["keyed_unless_revival", "a step without a key", [line({ key: "null" })]],
    ["keyed_unless_revival", "a revival with a key", [line({ ...revival, key: "'a'" })]],
    ["failure_iff_not_completed", "a failed entry without a failure", [line({ outcome: "'failed'" })]],
    ["failure_iff_not_completed", "a completed entry with a failure", [line({ failure: "'{}'" })]],
    ["retry_iff_retrying", "a retry that is never due", [line({ ...retrying, retry_at: "null" })]],
    ["retry_iff_retrying", "a retry after a completion", [line({ retry_at: "now()" })]],
    [
      "output_only_when_completed",
      "a failed entry with an output",
      [line({ outcome: "'failed'", failure: "'{}'", output: "'1'" })],
    ],
    ["timers_pkey", "a second timer of a key", [timer, timer]],
  ])("by %s: %s", async (constraint, _, statements) => {
    await expect(tryOut(statements, "select 1")).rejects.toMatchObject({ constraint });
  });

  test("every check and every unique index is tried above", async () => {
    const rows = await database.rows<{ conname: string }>(
      "select conname from pg_constraint where connamespace = 'pawl'::regnamespace and contype in ('c', 'u') order by 1",
    );
    expect(new Set(rows.map(({ conname }) => conname))).toEqual(
      new Set([
        "due_iff_parked",
        "failure_iff_dead_letter",
        "failure_iff_not_completed",
        "finished_iff_final",
        "keyed_unless_revival",
        "kind_is_known",
        "leased_iff_running",
        "once_per_attempt",
        "only_dead_letters_are_discarded",
        "outcome_is_known",
        "output_only_when_completed",
        "retry_iff_retrying",
        "status_is_known",
      ]),
    );
  });
});

describe("stuck_runs", () => {
  const reasons = async (...statements: string[]) =>
    (await tryOut<{ reason: string }>(statements, "select reason from pawl.stuck_runs")).map(
      ({ reason }) => reason,
    );
  const unguarded =
    "alter table pawl.runs drop constraint leased_iff_running, drop constraint due_iff_parked";

  test.each<[string, string[], string]>([
    ["a run that nothing moves", [unguarded, run({ wake_at: "null" })], "no single reason to move"],
    [
      "a run that is leased and due",
      [unguarded, run({ lease_expires_at: "now()" })],
      "no single reason to move",
    ],
    [
      "a final run that is due",
      [unguarded, run({ ...completed, wake_at: "now()" })],
      "no single reason to move",
    ],
    [
      "a run that sleeps past its timer",
      [run({ ...parked("waiting"), wake_at: "now() + interval '1 h'" }), timer],
      "sleeps past its timer nap",
    ],
    [
      "a run that sleeps past its deadline",
      [run({ ...parked("waiting"), wake_at: "now() + interval '1 h'", deadline_at: "now()" })],
      "sleeps past its deadline",
    ],
    ["the timer of no run", [timer], "left the timer nap behind"],
    ["the timer of another tenant's run", [run({ tenant: "'u'" }), timer], "left the timer nap behind"],
    ["the timer of a completed run", [run(completed), timer], "left the timer nap behind"],
    ["the timer of a cancelled run", [run(cancelled), timer], "left the timer nap behind"],
  ])("finds %s", async (_, statements, reason) => {
    expect(await reasons(...statements)).toEqual([reason]);
  });

  test.each<[string, string[]]>([
    ["a waiting run that is due with its timer", [run(parked("waiting")), timer]],
    ["a running run with a timer that is over", [run(running), timer]],
    ["a failed run with a timer", [run(failed), timer]],
    ["a dead run with a timer", [run(dead), timer]],
    ["a ready run whose timer is over", [run(), timer.replace("now()", "now() - interval '1 h'")]],
    [
      "a run that is spaced out after a lost turn",
      [run({ lost_turns: "1", wake_at: "now() + interval '1 m'" }), timer],
    ],
    ["runs that are over", [run(completed), run({ ...cancelled, id: "'2'" })]],
  ])("leaves alone %s", async (_, statements) => {
    expect(await reasons(...statements)).toEqual([]);
  });
});
