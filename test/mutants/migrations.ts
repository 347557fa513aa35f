/**
 * The ways in which a migration could leave the database without something that the code relies on, each as a replacement
 * in one file, with the tests that must then fail.
 */
import { readdirSync } from "node:fs";

export interface MigrationMutant {
  readonly name: string;
  /** What is wrong with the database. */
  readonly breaks: string;
  /** The beginning of the migration's name. */
  readonly migration: `${number}`;
  /** Stands in the migration exactly once. */
  readonly find: string;
  readonly replace: string;
  /** The file of the tests. */
  readonly file: string;
  /** Names of tests in it, with those of the describes around them, or their ends: each must fail. */
  readonly caughtBy: readonly string[];
}

const SUITE = "test/storage/postgres.test.ts";
const CONSTRAINTS = "test/storage/constraints.test.ts";

export const MIGRATION_MUTANTS: readonly MigrationMutant[] = [
  {
    name: "two-entries-for-an-attempt",
    breaks: "the journal takes a second entry for one key and attempt (I1)",
    migration: "0001",
    find: "  constraint once_per_attempt unique (tenant, run_id, key, attempt),\n",
    replace: "",
    file: SUITE,
    caughtBy: ["refuses the same attempt again"],
  },
  {
    name: "two-completions",
    breaks: "the journal takes a second completed entry for one key (I1)",
    migration: "0001",
    find: "create unique index journal_completed_once",
    replace: "create index journal_completed_once",
    file: SUITE,
    caughtBy: ["refuses a second completion"],
  },
  {
    name: "running-without-lease",
    breaks: "a run may be running without a lease",
    migration: "0001",
    find: "  constraint leased_iff_running check ((lease_expires_at is not null) = (status = 'running')),\n",
    replace: "",
    file: CONSTRAINTS,
    caughtBy: ["by leased_iff_running: a running run without a lease"],
  },
  {
    name: "branch-that-nothing-moves",
    breaks: "a branch may be neither due nor leased",
    migration: "0002",
    find: `  begun_at timestamptz not null,
  primary key (tenant, run_id, key),
  constraint branch_is_due_or_leased check (num_nonnulls(wake_at, lease_expires_at) = 1)
`,
    replace: `  begun_at timestamptz not null,
  primary key (tenant, run_id, key)
`,
    file: CONSTRAINTS,
    caughtBy: ["by branch_is_due_or_leased: a branch that nothing moves"],
  },
  {
    name: "signals-twice",
    breaks: "the same signal sent again arrives again (I5)",
    migration: "0002",
    find: "create unique index deliveries_once",
    replace: "create index deliveries_once",
    file: SUITE,
    caughtBy: ["the same id arrives once: sent again", "the same id again arrives once"],
  },
  {
    name: "committed-is-everybody",
    breaks: "statements after a commit write for runs that the fence did not let through (I2)",
    migration: "0002",
    find: `  $$ select c ->> 0, c ->> 1 from jsonb_array_elements(coalesce(nullif(current_setting('pawl.committed', true), ''), '[]')::jsonb) c $$;`,
    replace: "  $$ select r.tenant, r.id from pawl.runs r $$;",
    file: SUITE,
    caughtBy: ["of what is refused moves no descendant", "at most so many runs are looked after at once"],
  },
  {
    name: "deleted-children-are-silent",
    breaks: "nobody hears of a child that is deleted",
    migration: "0002",
    find: `create trigger tell_of_deleted_child after delete on pawl.runs for each row
  when (old.parent_key is not null) execute function pawl.tell_of_deleted_child();
`,
    replace: "",
    file: "test/storage/deleted-children.test.ts",
    caughtBy: ["a child that is deleted is told of as dead", "of many that one statement deletes"],
  },
  {
    name: "deleted-children-wake-nobody",
    breaks: "a parent that hears of a deleted child stays parked (I4)",
    migration: "0002",
    find: "    update pawl.runs set deliveries = deliveries + 1, wake_up_sent_at = null,\n      wake_at = case when status = 'waiting' then pawl.clock() else wake_at end",
    replace: "    update pawl.runs set deliveries = deliveries + 1",
    file: "test/storage/deleted-children.test.ts",
    caughtBy: ["a child that is deleted is told of as dead"],
  },
  {
    name: "messages-twice",
    breaks: "the same message published again is there twice",
    migration: "0003",
    find: "create unique index messages_once",
    replace: "create index messages_once",
    file: SUITE,
    caughtBy: ["the same id again is accepted and changes nothing"],
  },
  {
    name: "keys-for-two-runs",
    breaks: "one idempotency key has two runs",
    migration: "0001",
    find: "create unique index runs_by_idempotency_key",
    replace: "create index runs_by_idempotency_key",
    file: SUITE,
    caughtBy: ["the same key and input find the same run", "a key that one batch names twice has one run"],
  },
  {
    name: "hooks-of-one-address",
    breaks: "two hooks have one address",
    migration: "0003",
    find: "create unique index hooks_by_digest",
    replace: "create index hooks_by_digest",
    file: CONSTRAINTS,
    caughtBy: ["by hooks_by_digest: a second hook of an address"],
  },
  {
    name: "sent-and-still-due",
    breaks: "an event that was sent may be due again",
    migration: "0004",
    find: "  constraint due_iff_pending check ((next_at is not null) = (status = 'pending')),\n",
    replace: "",
    file: CONSTRAINTS,
    caughtBy: ["by due_iff_pending: a sent event that is due"],
  },
  {
    name: "listeners-hear-nothing",
    breaks: "who listens is told nothing",
    migration: "0005",
    find: "  if enabled then\n",
    replace: "  if not enabled then\n",
    file: "test/storage/notifications.test.ts",
    caughtBy: ["a run that begins to wait and one that ends tell their listeners"],
  },
  {
    name: "refusal-that-passes",
    breaks: "a statement that refuses goes on all the same",
    migration: "0001",
    find: "  raise exception using errcode = code, message = 'refused', detail = detail;",
    replace: "  return false;",
    file: SUITE,
    caughtBy: ["a batch with one conflict starts none"],
  },
];

/** The name of the migration's file. */
export function fileOf({ migration }: MigrationMutant): string {
  const found = readdirSync("migrations").find((name) => name.startsWith(`${migration}_`));
  if (found === undefined) throw new Error(`there is no migration ${migration}`);
  return found;
}
