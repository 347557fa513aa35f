/** What must be true once everything is healed: the database against the client's book and the outside world's ledger. */
import type { RunStatus } from "../../src/engine/run.ts";
import type { Effect } from "../support/ledger.ts";
import type { Bed } from "./bed.ts";
import type { Book } from "./book.ts";
import type { Client } from "./client.ts";
import type { Violation } from "./safety.ts";
import { SAMPLES } from "./samples.ts";

interface Row {
  readonly id: string;
  readonly workflow: string;
  readonly status: RunStatus;
  readonly input: never;
  readonly output: never;
  readonly idempotency_key: string | null;
  readonly parent_id: string | null;
  readonly continued_from: string | null;
}

/** Of these every step has one effect, so a completed one has as many effects as entries. */
const ONE_EFFECT_A_STEP = [
  "chain",
  "nap",
  "approval",
  "leaf",
  "transfer",
  "trip",
  "counter",
  "herald",
  "fragile",
];

/** Tables that keep nothing of a run that is completed or cancelled (L6). */
const LEFTOVERS = ["timers", "waits", "branches", "deliveries", "subscriptions", "run_groups", "hooks"];

type Break = (promise: string, runId: string | null, detail: string) => void;

export async function brokenPromises(bed: Bed, book: Book, client: Client): Promise<Violation[]> {
  const violations: Violation[] = [];
  const broken: Break = (promise, runId, detail) => violations.push({ promise, runId, detail });
  const rows = await bed.database.rows<Row>("select * from pawl.runs order by id");
  const runs = new Map(rows.map((row) => [row.id, row]));
  checkEnds(runs, book, broken);
  checkStarts(runs, book, broken);
  checkAnswers(runs, book, client, broken);
  await checkEffects(bed, runs, book, broken);
  await checkTransfers(bed, broken);
  await checkCompensations(bed, book, broken);
  await checkEvents(bed, broken);
  await checkLeftovers(bed, broken);
  return violations;
}

/** L1, L2: every run came to the end that its input says, unless somebody cancelled it. */
function checkEnds(runs: ReadonlyMap<string, Row>, book: Book, broken: Break): void {
  const mayBeCancelled = (run: Row | undefined): boolean =>
    run !== undefined &&
    (book.cancels.has(run.id) ||
      mayBeCancelled(runs.get(run.parent_id ?? "")) ||
      mayBeCancelled(runs.get(run.continued_from ?? "")));
  for (const run of runs.values()) {
    const sample = SAMPLES[run.workflow];
    const end = sample?.ends?.(run.input) ?? "completed";
    const isRight = run.status === end || (run.status === "cancelled" && mayBeCancelled(run));
    if (!isRight)
      broken(`a run ends as it must: ${end} (L1, L2)`, run.id, `${run.workflow} is ${run.status}`);
    if (run.status === "completed" && !sample?.isRight(run.output, run.input))
      broken("a run returns what follows from its input", run.id, JSON.stringify([run.input, run.output]));
  }
}

/** V10, V11: a start that was answered is there, with its input, and once. */
function checkStarts(runs: ReadonlyMap<string, Row>, book: Book, broken: Break): void {
  for (const { workflow, key, ids } of book.asked) {
    const [id] = ids;
    if (ids.size !== 1)
      broken("a key has one run, and in the end it has one (V11)", id ?? null, `${key}: ${ids.size}`);
    const run = runs.get(id ?? "");
    if (run?.workflow !== workflow || run.idempotency_key !== key)
      broken("a start that was answered is durable (V10, I9)", id ?? null, key);
  }
}

/** V3, V10: what an answer said of a run that is over is still so, and what was cancelled stays cancelled. */
function checkAnswers(runs: ReadonlyMap<string, Row>, book: Book, client: Client, broken: Break): void {
  for (const [id, status] of client.told) {
    const now = runs.get(id)?.status;
    if (now !== status) broken("a final status that was answered stays (V3)", id, `was ${status}, is ${now}`);
  }
  for (const [id, { plain, acknowledged }] of book.cancels) {
    const status = runs.get(id)?.status;
    // One that undoes what it did already, because it failed, goes on with that.
    const wasFailing = !plain && status === "failed" && runs.get(id)?.workflow === "trip";
    if (acknowledged && status !== "cancelled" && !wasFailing)
      broken("a cancel that was answered is durable (V10, I9)", id, `is ${status}`);
  }
  for (const fault of client.faults) broken("no client is told of a fault of ours (I9)", null, fault);
}

/** V14: more executions only for turns that were lost, under one key; none missing; at most once where that is said. */
async function checkEffects(
  { database, ledger }: Bed,
  runs: ReadonlyMap<string, Row>,
  book: Book,
  broken: Break,
): Promise<void> {
  const lost = new Map(
    (
      await database.rows<{ run_id: string; count: number }>(
        "select run_id, count(*)::int as count from chaos.lost group by run_id",
      )
    ).map(({ run_id, count }) => [run_id, count]),
  );
  const byAttempt = groupBy(ledger.effects, ({ runId, step, attempt }) => `${runId} ${step} ${attempt}`);
  for (const [, [first, ...more]] of byAttempt) {
    if (first === undefined) continue;
    const allowed = lost.get(first.runId) ?? 0;
    if (more.length > allowed)
      broken(
        "an attempt runs once more at most for every turn that was lost (V14)",
        first.runId,
        `${first.step}, attempt ${first.attempt}: ${more.length + 1} times, ${allowed} lost`,
      );
  }
  const keyOf = ({ idempotencyKey }: Effect) => idempotencyKey;
  const stepOf = ({ runId, step }: Effect) => `${runId} ${step}`;
  for (const [step, effects] of groupBy(ledger.effects, stepOf))
    if (new Set(effects.map(keyOf)).size > 1) broken("a step has one idempotency key (V14)", null, step);
  for (const [key, effects] of groupBy(ledger.effects, keyOf))
    if (new Set(effects.map(stepOf)).size > 1) broken("an idempotency key has one step (V14)", null, key);
  for (const [runId, effects] of groupBy(ledger.effects, ({ runId }) => runId)) {
    const words = book.again.get(runId) ?? 0;
    if (runs.get(runId)?.workflow === "charge" && effects.length > 1 + words)
      broken("at most once, but for a person's word", runId, `${effects.length} charges, ${words} words`);
  }
  await checkNothingMissing(database, ledger.effects, broken);
}

async function checkNothingMissing(
  database: Bed["database"],
  effects: readonly Effect[],
  broken: Break,
): Promise<void> {
  const done = new Map(
    [...groupBy(effects, ({ runId }) => runId)].map(([id, all]) => [
      id,
      new Set(all.map(({ step }) => step)).size,
    ]),
  );
  const entries = await database.rows<{ id: string; count: number }>(
    `select r.id, count(j.seq)::int as count from pawl.runs r
     left join pawl.journal j on j.run_id = r.id and j.kind = 'step' and j.outcome = 'completed'
     where r.status = 'completed' and r.workflow = any($1) group by r.id`,
    [ONE_EFFECT_A_STEP],
  );
  for (const { id, count } of entries) {
    const has = done.get(id) ?? 0;
    if (has !== count) broken("what is journaled was done (L3)", id, `${count} entries, ${has} effects`);
  }
}

async function checkTransfers({ database }: Bed, broken: Break): Promise<void> {
  const missing = await database.rows<{ id: string; status: string }>(
    `select r.id, r.status from pawl.runs r join pawl.journal j on j.run_id = r.id and j.kind = 'transaction'
       and j.outcome = 'completed'
     where not exists (select from chaos.transfers t where t.run_id = r.id)`,
  );
  for (const { id, status } of missing) broken("a transaction in the journal was committed", id, status);
}

/** Whoever failed or was cancelled to be undone has undone every step that can be. */
async function checkCompensations({ database }: Bed, book: Book, broken: Break): Promise<void> {
  const plain = [...book.cancels].filter(([, cancel]) => cancel.plain).map(([id]) => id);
  const left = await database.rows<{ id: string; key: string }>(
    `select r.id, j.key from pawl.runs r join pawl.journal j on j.run_id = r.id
     where r.phase = 'compensating' and r.status in ('failed', 'cancelled') and r.id <> all($1)
       and j.kind = 'step' and j.outcome = 'completed' and j.key like 'book %'
       and not exists (select from pawl.journal u where u.run_id = r.id and u.key = j.key || '#compensation' and u.outcome = 'completed')`,
    [plain],
  );
  for (const { id, key } of left) broken("everything is undone", id, key);
  const failed = await database.rows<{ id: string }>(
    "select id from pawl.runs where failed_compensations > 0",
  );
  for (const { id } of failed) broken("no compensator fails", id, "");
}

/** Every event was accepted outside, and the first time of each in the order of its run. */
async function checkEvents({ database, accepted }: Bed, broken: Break): Promise<void> {
  const place = new Map<string, number>();
  for (const [i, id] of accepted.entries()) if (!place.has(id)) place.set(id, i);
  const events = await database.rows<{ id: string; run_id: string }>(
    "select id, run_id from pawl.outbox order by seq",
  );
  const last = new Map<string, number>();
  for (const { id, run_id } of events) {
    const at = place.get(id);
    if (at === undefined) broken("every event is delivered at least once", run_id, id);
    else if (at < (last.get(run_id) ?? -1)) broken("the events of a run come in their order", run_id, id);
    last.set(run_id, at ?? last.get(run_id) ?? -1);
  }
}

async function checkLeftovers({ database }: Bed, broken: Break): Promise<void> {
  for (const table of LEFTOVERS) {
    const left = await database.rows<{ run_id: string; status: string | null }>(
      `select t.run_id, r.status from pawl.${table} t left join pawl.runs r on r.id = t.run_id
       where r.id is null or r.status in ('completed', 'cancelled')`,
    );
    for (const { run_id, status } of left)
      broken(`runs that are over leave no ${table} (L6)`, run_id, `${status}`);
  }
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}
