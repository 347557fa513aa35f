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

const paused: Columns = { ...parked("paused"), wake_at: "null", paused_at: "now()" };
const waiting: Columns = { ...parked("waiting"), wake_at: "null" };
const compensating: Columns = { phase: "'compensating'", verdict: '\'{"status": "failed", "failure": {}}\'' };

const action = (columns: Columns = {}): string =>
  insert("actions", {
    tenant: "'t'",
    run_id: "'1'",
    verb: "'cancel'",
    done_by: "'admin'",
    done_at: "now()",
    ...columns,
  });

const bulk = (columns: Columns = {}): string =>
  insert("bulk_actions", {
    tenant: "'t'",
    id: "'1'",
    verb: "'cancel'",
    source: "'runs'",
    filter: "'{}'",
    rate: "10",
    done_by: "'admin'",
    matching: "1",
    matching_exact: "true",
    next_at: "now()",
    created_at: "now()",
    updated_at: "now()",
    ...columns,
  });

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

const wait = (columns: Columns = {}): string =>
  insert("waits", {
    tenant: "'t'",
    run_id: "'1'",
    key: "'payment'",
    kind: "'signal'",
    name: "'paid'",
    begun_at: "now()",
    turn: "1",
    ...columns,
  });
const delivery = (columns: Columns = {}): string =>
  insert("deliveries", {
    tenant: "'t'",
    run_id: "'1'",
    kind: "'signal'",
    name: "'paid'",
    outcome: "'completed'",
    arrived_at: "now()",
    ...columns,
  });
const branch = (columns: Columns = {}): string =>
  insert("branches", {
    tenant: "'t'",
    run_id: "'1'",
    key: "'a'",
    asked_at: "0",
    attempt: "1",
    spent: "0",
    wake_at: "now()",
    begun_at: "now()",
    ...columns,
  });
const leased: Columns = { wake_at: "null", lease_expires_at: "now()" };
const CHANNEL = insert("channels", { tenant: "'t'", name: "'news'", mode: "'loud'" });
const message = insert("messages", {
  tenant: "'t'",
  channel: "'news'",
  dedupe_id: "'1'",
  payload: "'1'",
  published_at: "now()",
});
const hook = (key: string): string =>
  insert("hooks", {
    tenant: "'t'",
    run_id: "'1'",
    key: `'${key}'`,
    digest: "'d'",
    expires_at: "now()",
  });
const event = (columns: Columns = {}): string =>
  insert("outbox", {
    tenant: "'t'",
    id: "'1'",
    run_id: "'1'",
    workflow: "'w'",
    type: "'a'",
    emitted_at: "now()",
    ...columns,
  });
/** The event with a number that no sequence gave. */
const numbered = (statement: string): string =>
  statement
    .replace("(tenant,", "(seq, tenant,")
    .replace(") values (", ") overriding system value values (1, ");
const send = (columns: Columns = {}): string =>
  insert("outbox_sends", {
    tenant: "'t'",
    run_id: "'1'",
    sink: "'all'",
    seq: "1",
    next_at: "now()",
    ...columns,
  });
const sent: Columns = { status: "'sent'", next_at: "null", sent_at: "now()" };

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
    ["a run that waits for a fact", run(waiting)],
    ["a paused run", run(paused)],
    ["a running run that is to be paused", run({ ...running, paused_at: "now()" })],
    ["a run that undoes what it did", run(compensating)],
    ["a failed run that has undone what it did", run({ ...failed, ...compensating })],
    ["a child that somebody waits for", run({ parent_id: "'0'", parent_key: "'a'" })],
    ["a child that nobody waits for", run({ parent_id: "'0'" })],
    ["a wait that timed out", line({ kind: "'signal'", outcome: "'timed_out'" })],
    ["an at-most-once attempt of which nobody knows", line({ outcome: "'unknown'", failure: "'{}'" })],
  ])("%s", async (_, statement) => {
    await tryOut([statement], "select 1");
  });
});

/** The constraint or unique index, what it refuses, and the statements of which the last is refused. */
const REFUSED: readonly (readonly [string, string, string[]])[] = [
  ["status_is_known", "a status that nobody knows", [run({ ...parked("asleep"), wake_at: "null" })]],
  ["leased_iff_running", "a running run without a lease", [run({ status: "'running'", wake_at: "null" })]],
  ["leased_iff_running", "a lease on a ready run", [run({ lease_expires_at: "now()" })]],
  ["ready_is_due", "a ready run that is never due", [run({ wake_at: "null" })]],
  ["due_only_when_parked", "a running run that is due", [run({ ...running, wake_at: "now()" })]],
  ["due_only_when_parked", "a completed run that is due", [run({ ...completed, wake_at: "now()" })]],
  ["due_only_when_parked", "a paused run that is due", [run({ ...paused, wake_at: "now()" })]],
  ["paused_is_held", "a paused run that nobody holds", [run({ ...paused, paused_at: "null" })]],
  ["phase_is_known", "a phase that nobody knows", [run({ phase: "'sideways'" })]],
  ["verdict_iff_compensating", "a compensating run without a verdict", [run({ phase: "'compensating'" })]],
  ["verdict_iff_compensating", "a verdict of a run that goes forward", [run({ verdict: "'{}'" })]],
  ["awaited_has_a_parent", "a key of no parent", [run({ parent_key: "'a'" })]],
  ["wait_kind_is_known", "a wait for what nobody knows", [wait({ kind: "'weather'" })]],
  ["waits_pkey", "a second wait of a key", [wait(), wait({ kind: "'child'" })]],
  ["delivery_kind_is_known", "a delivery that nobody knows", [delivery({ kind: "'weather'" })]],
  [
    "delivery_outcome_is_known",
    "a delivery of an outcome that nobody knows",
    [delivery({ outcome: "'lost'" })],
  ],
  [
    "deliveries_once",
    "a second delivery of an id",
    [delivery({ dedupe_id: "'1'" }), delivery({ dedupe_id: "'1'" })],
  ],
  ["branch_is_due_or_leased", "a branch that nothing moves", [branch({ wake_at: "null" })]],
  ["branch_is_due_or_leased", "a branch that is due and leased", [branch({ lease_expires_at: "now()" })]],
  ["branches_pkey", "a second branch of a key", [branch(), branch()]],
  ["mode_is_known", "a channel of a mode that nobody knows", [CHANNEL]],
  ["finished_iff_final", "a completed run that never finished", [run({ ...completed, finished_at: "null" })]],
  ["finished_iff_final", "a ready run that has finished", [run({ finished_at: "now()" })]],
  ["finished_iff_final", "a cancelled run that never finished", [run({ ...cancelled, finished_at: "null" })]],
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
  ["kind_is_known", "a kind that nobody knows", [line({ kind: "'weather'" })]],
  ["outcome_is_known", "an outcome that nobody knows", [line({ outcome: "'lost'", failure: "'{}'" })]],
  ["keyed_unless_revival", "a step without a key", [line({ key: "null" })]],
  ["keyed_unless_revival", "a revival with a key", [line({ ...revival, key: "'a'" })]],
  ["failure_iff_not_settled_well", "a failed entry without a failure", [line({ outcome: "'failed'" })]],
  [
    "failure_iff_not_settled_well",
    "a wait that timed out with a failure",
    [line({ outcome: "'timed_out'", failure: "'{}'" })],
  ],
  ["failure_iff_not_settled_well", "a completed entry with a failure", [line({ failure: "'{}'" })]],
  ["retry_iff_retrying", "a retry that is never due", [line({ ...retrying, retry_at: "null" })]],
  ["retry_iff_retrying", "a retry after a completion", [line({ retry_at: "now()" })]],
  [
    "output_only_when_completed",
    "a failed entry with an output",
    [line({ outcome: "'failed'", failure: "'{}'", output: "'1'" })],
  ],
  ["timers_pkey", "a second timer of a key", [timer, timer]],
  ["messages_once", "a second message of an id", [message, message]],
  ["hooks_by_digest", "a second hook of an address", [hook("a"), hook("b")]],
  ["outbox_pkey", "a second event of an id", [event(), event()]],
  ["send_status_is_known", "a send of a status that nobody knows", [send({ ...sent, status: "'lost'" })]],
  ["due_iff_pending", "a sent event that is due", [send({ ...sent, next_at: "now()" })]],
  ["due_iff_pending", "a pending event that is never due", [send({ next_at: "null" })]],
  ["sent_iff_sent", "a dead event that was sent", [send({ ...sent, status: "'dead'" })]],
  ["outbox_sends_pkey", "a second send of an event", [send(), send()]],
  ["verb_is_known", "an action that nobody knows", [action({ verb: "'sing'" })]],
  ["note_says_something", "an empty note", [action({ verb: "'note'" })]],
  ["bulk_verb_is_known", "a bulk action that nobody knows", [bulk({ verb: "'sing'" })]],
  [
    "bulk_status_is_known",
    "a bulk action of a status that nobody knows",
    [bulk({ status: "'lost'", next_at: "null", finished_at: "now()" })],
  ],
  ["bulk_source_is_known", "a bulk action on what nobody knows", [bulk({ source: "'workers'" })]],
  ["bulk_has_one_source", "a bulk action on nothing", [bulk({ filter: "null" })]],
  ["bulk_has_one_source", "a bulk action on ids and on a filter", [bulk({ ids: "'[]'" })]],
  ["bulk_is_due_while_running", "a bulk action that is never due", [bulk({ next_at: "null" })]],
  ["bulk_is_over_or_not", "a bulk action that is over and goes on", [bulk({ finished_at: "now()" })]],
  [
    "bulk_actions_by_idempotency_key",
    "a second bulk action of a key",
    [bulk({ idempotency_key: "'k'" }), bulk({ id: "'2'", idempotency_key: "'k'" })],
  ],
  ["outbox_in_order", "two events in one place", [numbered(event()), numbered(event({ id: "'2'" }))]],
];

describe("the database refuses", () => {
  test.each(REFUSED)("by %s: %s", async (constraint, _, statements) => {
    await expect(tryOut(statements, "select 1")).rejects.toMatchObject({ constraint });
  });

  test("every check and every unique index is tried above", async () => {
    const rows = await database.rows<{ name: string }>(
      `select conname as name from pg_constraint where connamespace = 'pawl'::regnamespace and contype = 'c'
       union select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid
       where c.relnamespace = 'pawl'::regnamespace and i.indisunique and not i.indisprimary`,
    );
    const tried = new Set(REFUSED.map(([constraint]) => constraint));
    expect(rows.map(({ name }) => name).filter((name) => !tried.has(name))).toEqual([]);
  });
});

describe("stuck_runs", () => {
  const reasons = async (...statements: string[]) =>
    (await tryOut<{ reason: string }>(statements, "select reason from pawl.stuck_runs")).map(
      ({ reason }) => reason,
    );
  const forChild: Columns = { kind: "'child'", name: "'2'" };
  const goesOn: Columns = { ...completed, id: "'2'", continued_to: "'3'" };
  const unguarded =
    "alter table pawl.runs drop constraint leased_iff_running, drop constraint due_only_when_parked, drop constraint ready_is_due";

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

  test.each<[string, string[], string]>([
    ["a run that waits for nothing", [run(waiting)], "waits for nothing"],
    [
      "a run that waits for another tenant's fact",
      [run(waiting), wait({ tenant: "'u'" })],
      "waits for nothing",
    ],
    [
      "a run that is parked beside its signal",
      [run(waiting), wait(), delivery()],
      "parked beside the delivery for paid",
    ],
    [
      "a run that sleeps beside its signal",
      [run({ ...waiting, wake_at: "now() + interval '1 h'" }), wait(), delivery()],
      "parked beside the delivery for paid",
    ],
    [
      "a run that is parked beside its child's end",
      [run(waiting), wait({ ...forChild, name: "'0'" }), delivery({ kind: "'child'", name: "'payment'" })],
      "parked beside the delivery for payment",
    ],
    [
      "a run whose child is over without a word",
      [run(waiting), wait(forChild), run({ ...completed, id: "'2'" })],
      "waits for the child 2, which is over",
    ],
    [
      "a run whose child is gone without a word",
      [run(waiting), wait(forChild)],
      "waits for the child 2, which is over",
    ],
    [
      "a run that waits past the time of its wait",
      [run(waiting), wait({ due_at: "now() + interval '1 h'" })],
      "waits past the time of payment",
    ],
    [
      "a run that waits past its deadline",
      [run({ ...waiting, deadline_at: "now()" }), wait()],
      "sleeps past its deadline",
    ],
    ["the wait of no run", [wait()], "left the wait payment behind"],
    ["the wait of a completed run", [run(completed), wait()], "left the wait payment behind"],
    ["the wait of a cancelled run", [run(cancelled), wait()], "left the wait payment behind"],
    ["the branch of no run", [branch()], "left the branch a behind"],
    ["the branch of a completed run", [run(completed), branch()], "left the branch a behind"],
    ["the branch of a cancelled run", [run(cancelled), branch(leased)], "left the branch a behind"],
    ["the branch of a failed run", [run(failed), branch()], "left the branch a behind"],
  ])("finds %s", async (_, statements, reason) => {
    expect((await reasons(...statements)).filter((one) => !one.startsWith("left") || one === reason)).toEqual(
      [reason],
    );
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
    ["a run that waits for a signal", [run(waiting), wait()]],
    ["a run that waits for its branches", [run(waiting), branch(leased)]],
    ["a run that is parked beside a signal for later", [run(waiting), wait(), delivery({ name: "'later'" })]],
    ["a run that took its signal", [run(waiting), wait(), delivery({ consumed_by: "'before'" })]],
    ["a run that is due beside its signal", [run(parked("waiting")), wait(), delivery()]],
    ["a paused run beside its signal", [run(paused), wait(), delivery()]],
    ["a run that waits for a child that goes on as another", [run(waiting), wait(forChild), run(goesOn)]],
    ["failed runs with what they wait for", [run(failed), wait(), delivery()]],
    ["dead runs with their branches", [run(dead), wait(), branch()]],
    [
      "a run that undoes what it did beside a signal",
      [run({ ...compensating, wake_at: "now()" }), wait(), delivery()],
    ],
    ["runs that are over", [run(completed), run({ ...cancelled, id: "'2'" })]],
  ])("leaves alone %s", async (_, statements) => {
    expect(await reasons(...statements)).toEqual([]);
  });
});
