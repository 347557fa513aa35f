/** `step.transaction` on a real Postgres: what commits together, what is rolled back, what nobody is told of. */
import { eq, sql } from "drizzle-orm";
import { integer, pgTable, text } from "drizzle-orm/pg-core";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { StoreUnavailable } from "../../src/engine/errors.ts";
import type { CloudEvent } from "../../src/engine/event.ts";
import type { Transactions } from "../../src/engine/ports.ts";
import type { BranchRef, ClaimedBranch } from "../../src/engine/run.ts";
import type { Isolation, Transaction } from "../../src/engine/workflow.ts";
import { connect } from "../../src/storage/db.ts";
import { createStore } from "../../src/storage/store.ts";
import { createTransactions } from "../../src/storage/transactions.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { type CommitFate, type PostgresProxy, startPostgresProxy } from "../support/postgres-proxy.ts";
import { gate } from "../support/waiting.ts";
import { decision, LEASE, newRun, only } from "./support/builders.ts";

const accounts = pgTable("accounts", {
  name: text("name").primaryKey(),
  balance: integer("balance").notNull(),
});

let database: TestDatabase;
let proxy: PostgresProxy;
let transactions: Transactions;
let waits: number[];

beforeAll(async () => {
  database = await createDatabase();
  proxy = await startPostgresProxy(database.url);
  await database.rows(
    "create table accounts (name text primary key, balance int not null check (balance >= 0))",
  );
  const gateway = inject("gateway");
  transactions = createTransactions(proxy.url, gateway, connect(database.url, gateway), async (ms) => {
    waits.push(ms);
  });
});
afterEach(async () => {
  proxy.onCommit = () => "pass";
  proxy.accepts = true;
  const stuck = await database.rows("select * from pawl.stuck_runs");
  await database.rows(
    "truncate accounts, pawl.runs, pawl.journal, pawl.branches, pawl.deliveries, pawl.outbox, pawl.outbox_sends",
  );
  expect(stuck).toEqual([]);
});
afterAll(async () => {
  await proxy?.stop();
  await database?.drop();
});

/** A branch that this test holds. */
async function claimBranch(): Promise<ClaimedBranch> {
  waits = [];
  await database.rows("insert into accounts values ('ada', 100), ('bob', 0)");
  const { store } = database;
  const { run } = only(await store.startRuns("default", [newRun()]));
  const claimed = only((await store.claimRuns([run], LEASE)).claimed);
  const branches = [{ key: "transfer", askedAt: 0, attempt: 1, spent: 0, due: null }];
  await store.commitTurns([decision(claimed, { status: "waiting", wakeInMs: null, branches })]);
  return reclaim({ tenant: run.tenant, runId: run.runId, key: "transfer" });
}

async function reclaim(ref: BranchRef): Promise<ClaimedBranch> {
  return only((await createStore(database.db).claimBranches([ref], LEASE)).claimed);
}

const paid = (branch: ClaimedBranch, n = 1): CloudEvent => ({
  id: `${branch.runId}/transfer/${n}`,
  type: "transfer.made",
  subject: null,
  data: { json: { n }, meta: null },
});

async function transfer(tx: Transaction, amount = 30): Promise<void> {
  await tx
    .update(accounts)
    .set({ balance: sql`balance - ${amount}` })
    .where(eq(accounts.name, "ada"));
  await tx
    .update(accounts)
    .set({ balance: sql`balance + ${amount}` })
    .where(eq(accounts.name, "bob"));
}

interface RunOptions {
  readonly isolation?: Isolation;
  readonly signal?: AbortSignal;
}

/** Asks nobody whether a commit took effect. */
function withoutAnswers(): Transactions {
  const silent = { execute: () => Promise.reject(new StoreUnavailable(new Error("silent"))) };
  return createTransactions(proxy.url, inject("gateway"), silent, async () => {});
}

/** A transfer with an event; `more` happens before the body returns. */
function run(branch: ClaimedBranch, more: (tx: Transaction) => unknown = () => {}, options: RunOptions = {}) {
  const { isolation = "read committed", signal = new AbortController().signal } = options;
  return transactions.run(branch, isolation, signal, async (tx) => {
    await transfer(tx);
    await more(tx);
    return { output: { json: "done", meta: null }, events: [paid(branch)] };
  });
}

const seen = async () => {
  const [row] = await database.rows<{
    balances: number[];
    deliveries: number;
    branches: number;
    events: number;
  }>(
    `select (select array_agg(balance order by name) from accounts) as balances,
       (select count(*)::int from pawl.deliveries) as deliveries, (select count(*)::int from pawl.branches) as branches,
       (select count(*)::int from pawl.outbox) as events`,
  );
  return row;
};
const EVERYTHING = { balances: [70, 30], deliveries: 1, branches: 0, events: 1 };
const NOTHING = { balances: [100, 0], deliveries: 0, branches: 1, events: 0 };

describe("what commits together", () => {
  test("the user's writes, the delivery to the run and the events are there at once, and the run is due", async () => {
    const branch = await claimBranch();
    proxy.onCommit = async (): Promise<CommitFate> => {
      expect(await seen()).toEqual(NOTHING);
      return "pass";
    };
    expect(await run(branch)).toBe(true);
    expect(await seen()).toEqual(EVERYTHING);
    const [delivery] = await database.rows("select * from pawl.deliveries");
    expect(delivery).toMatchObject({
      kind: "branch",
      name: "transfer",
      outcome: "completed",
      payload: "done",
      attempt: 1,
    });
    const [row] = await database.rows(
      "select status, wake_at <= pawl.clock() as due, deliveries from pawl.runs",
    );
    expect(row).toEqual({ status: "waiting", due: true, deliveries: 1 });
  });

  test("several events keep their order", async () => {
    const branch = await claimBranch();
    const events = Array.from({ length: 12 }, (_, i) => paid(branch, 12 - i));
    await transactions.run(branch, "read committed", new AbortController().signal, async () => ({
      output: null,
      events,
    }));
    const ids = await database.rows<{ id: string }>("select id from pawl.outbox order by seq");
    expect(ids.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
  });

  test("no connection is left behind", async () => {
    await run(await claimBranch());
    await expect
      .poll(async () =>
        database.rows(
          "select pid from pg_stat_activity where datname = current_database() and query = 'commit'",
        ),
      )
      .toEqual([]);
  });
});

describe("what is rolled back", () => {
  test("everything, when the body throws, and what it threw is what is thrown", async () => {
    const error = new Error("no");
    const { commits } = proxy;
    await expect(
      run(await claimBranch(), () => {
        throw error;
      }),
    ).rejects.toBe(error);
    expect(await seen()).toEqual(NOTHING);
    expect(proxy.commits).toBe(commits);
  });

  test("everything, when a statement fails and the body goes on as if it had not (C3)", async () => {
    const failing = run(await claimBranch(), (tx) =>
      tx.execute(sql`update accounts set balance = -1`).catch(() => {}),
    );
    await expect(failing).rejects.toMatchObject({
      code: "transaction_aborted",
      cause: { code: "23514" },
    });
    expect(await seen()).toEqual(NOTHING);
  });

  test("everything, when a constraint that waits for the commit refuses it", async () => {
    await database.rows(`create table tickets (name text unique deferrable initially deferred)`);
    const failing = run(await claimBranch(), (tx) =>
      tx.execute(sql`insert into tickets values ('one'), ('one')`),
    );
    await expect(failing).rejects.toMatchObject({ code: "23505" });
    expect(await seen()).toEqual(NOTHING);
  });

  test("a savepoint alone, when what is inside it throws and the body catches that", async () => {
    const kept = await run(await claimBranch(), async (tx) => {
      await tx
        .transaction(async (inner) => {
          await inner.execute(sql`update accounts set balance = 0`);
          await inner.execute(sql`update accounts set balance = -1`);
        })
        .catch(() => {});
    });
    expect(kept).toBe(true);
    expect(await seen()).toEqual(EVERYTHING);
  });

  test("everything, when the body has not awaited a statement that fails (C3)", async () => {
    const failing = run(await claimBranch(), (tx) => {
      tx.execute(sql`select pg_sleep(0.05), 1 / 0`).catch(() => {});
    });
    await expect(failing).rejects.toMatchObject({ code: "transaction_aborted" });
    expect(await seen()).toEqual(NOTHING);
  });

  test("nothing, when the body commits by itself: it fails by name, for good", async () => {
    const failing = run(await claimBranch(), (tx) => tx.execute(sql`commit`));
    await expect(failing).rejects.toMatchObject({ code: "transaction_ended", retryable: false });
    expect(await seen()).toEqual({ ...NOTHING, balances: [70, 30] });
  });

  test("a statement after the body is refused", async () => {
    let late: Transaction | undefined;
    await run(await claimBranch(), (tx) => {
      late = tx;
    });
    await expect(late?.execute(sql`select 1`)).rejects.toMatchObject({ cause: { code: "transaction_over" } });
  });
});

describe("I10: a body holds its rows for so long and no longer", () => {
  test("a statement and a pause may take 15 seconds", async () => {
    await run(await claimBranch(), async (tx) => {
      const names = ["statement_timeout", "idle_in_transaction_session_timeout"];
      for (const name of names) {
        const { rows } = await tx.execute(sql`select current_setting(${name}) as value`);
        expect(rows).toEqual([{ value: "15s" }]);
      }
    });
  });

  test("a statement that takes longer fails, and the body with it (C4)", async () => {
    const failing = run(await claimBranch(), async (tx) => {
      await tx.execute(sql`set local statement_timeout = '10ms'`);
      await tx.execute(sql`select pg_sleep(60)`);
    });
    await expect(failing).rejects.toMatchObject({ cause: { code: "57014" } });
    expect(await seen()).toEqual(NOTHING);
  });

  test("a body that pauses for longer is rolled back, and fails by Postgres' own word for it (C15)", async () => {
    const failing = run(await claimBranch(), async (tx) => {
      const { rows } = await tx.execute(sql`select pg_backend_pid() as pid`);
      await tx.execute(sql`set local idle_in_transaction_session_timeout = '10ms'`);
      const alive = "select from pg_stat_activity where pid = $1";
      await expect.poll(() => database.rows(alive, [rows[0]?.pid])).toEqual([]);
      await tx.execute(sql`select 1`);
    });
    await expect(failing).rejects.toMatchObject({ code: "25P03" });
    expect(await seen()).toEqual(NOTHING);
  });
});

describe("I2: a branch whose lease was lost", () => {
  test("writes nothing once the branch was taken back", async () => {
    const branch = await claimBranch();
    const held = gate<string>();
    const zombie = run(branch, () => held.pass("zombie"));
    await held.reached;
    await database.moveClock(LEASE + 1);
    await database.store.reclaimBranches(10, 8);
    await database.moveClock(60_000);
    held.open();
    expect(await zombie).toBe(false);
    expect(await seen()).toEqual(NOTHING);
  });

  test("writes once, when another invocation does it meanwhile", async () => {
    const branch = await claimBranch();
    const held = gate<string>();
    const zombie = transactions.run(branch, "read committed", new AbortController().signal, async (tx) => {
      await held.pass("zombie");
      await transfer(tx);
      return { output: null, events: [paid(branch)] };
    });
    await held.reached;
    await database.moveClock(LEASE + 1);
    await database.store.reclaimBranches(10, 8);
    await database.moveClock(60_000);
    const again = only((await database.store.claimSuspectBranch(branch, LEASE)).claimed);
    expect(await run(again)).toBe(true);
    held.open();
    expect(await zombie).toBe(false);
    expect(await seen()).toEqual(EVERYTHING);
  });

  test("writes nothing while another invocation holds the branch", async () => {
    const branch = await claimBranch();
    const held = gate<string>();
    const zombie = run(branch, () => held.pass("zombie"));
    await held.reached;
    await database.moveClock(LEASE + 1);
    await database.store.reclaimBranches(10, 8);
    await database.moveClock(60_000);
    const again = only((await database.store.claimSuspectBranch(branch, LEASE)).claimed);
    held.open();
    expect(await zombie).toBe(false);
    expect(await seen()).toEqual(NOTHING);
    expect(await run(again)).toBe(true);
    expect(await seen()).toEqual(EVERYTHING);
  });

  test("writes nothing once the run was cancelled", async () => {
    const branch = await claimBranch();
    const cancelled = run(branch, () => database.store.cancelRun(branch, false));
    expect(await cancelled).toBe(false);
    expect(await seen()).toEqual({ ...NOTHING, branches: 0 });
  });
});

describe("conflicts", () => {
  test("the body is done again when Postgres cannot keep it apart from another (C4)", async () => {
    const branch = await claimBranch();
    let bodies = 0;
    const done = transactions.run(branch, "repeatable read", new AbortController().signal, async (tx) => {
      bodies += 1;
      await tx.select().from(accounts);
      if (bodies < 3) await database.rows("update accounts set balance = balance + 1 where name = 'ada'");
      await transfer(tx);
      return { output: null, events: [paid(branch)] };
    });
    expect(await done).toBe(true);
    expect([bodies, waits.length]).toEqual([3, 2]);
    expect(await seen()).toEqual({ ...EVERYTHING, balances: [72, 30] });
  });

  test("a conflict that the body swallowed is one all the same (C4)", async () => {
    const branch = await claimBranch();
    let bodies = 0;
    const done = transactions.run(branch, "serializable", new AbortController().signal, async (tx) => {
      bodies += 1;
      await tx.select().from(accounts);
      if (bodies === 1) await database.rows("update accounts set balance = balance + 1 where name = 'ada'");
      await transfer(tx).catch(() => {});
      return { output: null, events: [paid(branch)] };
    });
    expect(await done).toBe(true);
    expect(bodies).toBe(2);
  });

  test("after five times it is the body's failure (C4)", async () => {
    const branch = await claimBranch();
    let bodies = 0;
    const failing = transactions.run(branch, "repeatable read", new AbortController().signal, async (tx) => {
      bodies += 1;
      await tx.select().from(accounts);
      await database.rows("update accounts set balance = balance + 1 where name = 'ada'");
      await transfer(tx);
      return { output: null, events: [] };
    });
    await expect(failing).rejects.toMatchObject({ cause: { code: "40001" } });
    expect(bodies).toBe(6);
    expect(await seen()).toEqual({ ...NOTHING, balances: [106, 0] });
  });
});

describe("a connection that breaks", () => {
  test("at the commit, which took effect: it is committed, once", async () => {
    const branch = await claimBranch();
    proxy.onCommit = () => "cut after";
    expect(await run(branch)).toBe(true);
    expect(await seen()).toEqual(EVERYTHING);
  });

  test("at the commit, which did not take effect: the body is done again", async () => {
    const branch = await claimBranch();
    let fates = 0;
    let bodies = 0;
    proxy.onCommit = () => (++fates === 1 ? "cut before" : "pass");
    expect(
      await run(branch, () => {
        bodies += 1;
      }),
    ).toBe(true);
    expect([bodies, fates]).toEqual([2, 2]);
    expect(await seen()).toEqual(EVERYTHING);
  });

  test("at the commit, and the branch is another's by now: the lease is lost", async () => {
    const branch = await claimBranch();
    proxy.onCommit = async (): Promise<CommitFate> => {
      await database.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%from taken%' and pid <> pg_backend_pid()",
      );
      await database.moveClock(LEASE + 1);
      await expect.poll(async () => (await database.store.reclaimBranches(10, 8)).swept).toBe(1);
      return "cut before";
    };
    expect(await run(branch)).toBe(false);
    await database.moveClock(60_000);
    expect(await seen()).toEqual(NOTHING);
  });

  test("at the commit, and nobody can be asked: nothing is known", async () => {
    const branch = await claimBranch();
    proxy.onCommit = () => "cut after";
    const unknown = withoutAnswers().run(
      branch,
      "read committed",
      new AbortController().signal,
      async () => ({
        output: null,
        events: [],
      }),
    );
    await expect(unknown).rejects.toBeInstanceOf(StoreUnavailable);
  });

  test("in the body: the body is done again, also when it catches the error", async () => {
    const branch = await claimBranch();
    let bodies = 0;
    const done = run(branch, async (tx) => {
      bodies += 1;
      if (bodies === 1) await tx.execute(sql`select pg_terminate_backend(pg_backend_pid())`).catch(() => {});
    });
    expect(await done).toBe(true);
    expect(bodies).toBe(2);
    expect(await seen()).toEqual(EVERYTHING);
  });

  test("that cannot be made at all is the store's outage, not the body's failure", async () => {
    const branch = await claimBranch();
    proxy.accepts = false;
    await expect(run(branch)).rejects.toBeInstanceOf(StoreUnavailable);
    expect(waits).toHaveLength(5);
    expect(await seen()).toEqual(NOTHING);
  });
});

describe("a signal that aborts", () => {
  test("rolls back at once, also in the middle of a statement", async () => {
    const branch = await claimBranch();
    const stop = new AbortController();
    const reason = new Error("out of time");
    const started = gate<string>();
    const stopped = run(
      branch,
      (tx) => {
        void started.pass("sleeping");
        return tx.execute(sql`select pg_sleep(60)`);
      },
      { signal: stop.signal },
    );
    await started.reached;
    stop.abort(reason);
    await expect(stopped).rejects.toBe(reason);
    expect(await seen()).toEqual(NOTHING);
  });

  test("before the commit means that there is none", async () => {
    const branch = await claimBranch();
    const stop = new AbortController();
    const commits = proxy.commits;
    const stopped = run(branch, () => stop.abort(new Error("too late")), { signal: stop.signal });
    await expect(stopped).rejects.toThrow("too late");
    expect(proxy.commits).toBe(commits);
    expect(await seen()).toEqual(NOTHING);
  });

  test("while the commit is on its way changes nothing: its answer counts", async () => {
    const branch = await claimBranch();
    const stop = new AbortController();
    proxy.onCommit = () => {
      stop.abort(new Error("too late"));
      return "pass";
    };
    const given = { output: null, events: [paid(branch)] };
    const done = withoutAnswers().run(branch, "read committed", stop.signal, (tx) =>
      transfer(tx).then(() => given),
    );
    expect(await done).toBe(true);
    expect(await seen()).toEqual(EVERYTHING);
  });

  test("that is aborted already opens nothing", async () => {
    const branch = await claimBranch();
    const reason = new Error("before");
    await expect(run(branch, () => {}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
