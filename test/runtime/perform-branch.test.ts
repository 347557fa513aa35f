import { describe, expect, test } from "vitest";
import type { BranchOutcome } from "../../src/engine/branch.ts";
import { HeartbeatMissed, LeaseLost, StoreUnavailable } from "../../src/engine/errors.ts";
import type { Store, Transactions } from "../../src/engine/ports.ts";
import { RetryableError } from "../../src/engine/retry.ts";
import type { ClaimedBranch, ClaimedRun } from "../../src/engine/run.ts";
import {
  type AnyWorkflow,
  defineWorkflow,
  type StepContext,
  type StepOptions,
  type Transaction,
  type TransactionBody,
} from "../../src/engine/workflow.ts";
import { performBranch } from "../../src/runtime/perform-branch.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { claimedRun, entryOf, NOON, workflowOf } from "../engine/builders.ts";
import { gate, LEASE_MS, runtimeOf, settle, takeWhole } from "./support.ts";

interface Situation {
  readonly key?: string;
  readonly run?: Partial<ClaimedRun>;
  readonly branch?: Partial<ClaimedBranch>;
  readonly store?: Partial<Store>;
  readonly transactions?: Transactions["run"];
}

/** One attempt of a branch, that the test watches from outside. */
function perform(workflow: AnyWorkflow, given: Situation = {}) {
  const renewals: unknown[][] = [];
  const runtime = runtimeOf({
    workflows: [workflow],
    store: {
      renewBranch: async (...renewal) => {
        renewals.push(renewal);
        return true;
      },
      ...given.store,
    },
  });
  const lent: Runtime =
    given.transactions === undefined
      ? runtime
      : { ...runtime, transactions: { ...runtime.transactions, run: given.transactions } };
  const { key = "task", run, branch } = given;
  const held = {
    tenant: "default",
    runId: "run-1",
    key,
    branchTurn: 4,
    attempt: 1,
    spent: 0,
    askedAt: 0,
    ...branch,
  };
  const state: { outcome?: BranchOutcome | null } = {};
  const leaseUntil = runtime.clock.now() + LEASE_MS;
  const performed = performBranch(lent, { branch: { ...held, run: claimedRun(run) }, leaseUntil }).then(
    (outcome) => {
      state.outcome = outcome;
      return outcome;
    },
  );
  return { runtime, clock: runtime.clock, performed, renewals, state };
}

const working = (body: (context: StepContext) => unknown, options?: StepOptions) =>
  workflowOf((step) =>
    Promise.all([step.run("task", body, options), step.run("other", () => expect.fail("other"))]),
  );

describe("a branch", () => {
  test("performs its own step and no other, and gives what is written for it", async () => {
    const { performed } = perform(working(() => ({ b: 1, a: new Date(0) })));
    expect(await performed).toEqual({
      tenant: "default",
      runId: "run-1",
      key: "task",
      branchTurn: 4,
      outcome: "completed",
      attempt: 1,
      output: { json: { a: "1970-01-01T00:00:00.000Z", b: 1 }, meta: expect.anything() },
      failure: null,
      retryInMs: null,
      tookMs: 0,
    });
  });

  test("finds its step where it was asked for, behind what was done before", async () => {
    const workflow = workflowOf(async (step) => {
      const before = await step.run("before", () => expect.fail("before"));
      return Promise.all([step.run("task", () => `after ${before}`), step.sleep("nap", 1)]);
    });
    const journal = [entryOf({ key: "before", output: { json: "that", meta: null } })];
    expect(await perform(workflow, { run: { journal } }).performed).toMatchObject({
      outcome: "completed",
      output: { json: "after that" },
    });
  });

  test("finds an item of a map that its map had not come to when it was asked for", async () => {
    const workflow = workflowOf((step) =>
      step.map("m", ["a", "b", "c", "d"], (item, { index }) => `${item}${index}`, { concurrency: 2 }),
    );
    expect(await perform(workflow, { key: "m[3]" }).performed).toMatchObject({
      key: "m[3]",
      outcome: "completed",
      output: { json: "d3" },
    });
  });

  test("counts its attempts by its own row, not by the journal it sees", async () => {
    const seen: number[] = [];
    const body = ({ attempt }: StepContext) => {
      seen.push(attempt);
      throw new RetryableError("busy", { retryAfter: 7_000 });
    };
    const at = (attempt: number, spent: number) =>
      perform(working(body), { branch: { attempt, spent } }).performed;
    expect(await at(5, 1)).toMatchObject({ outcome: "retrying", attempt: 5, retryInMs: 7_000 });
    expect(await at(6, 2)).toMatchObject({ outcome: "failed", attempt: 6, retryInMs: null });
    expect(seen).toEqual([5, 6]);
  });

  test("has the idempotency key that its step has in a turn", async () => {
    const keys: string[] = [];
    const body = ({ idempotencyKey }: StepContext) => void keys.push(idempotencyKey);
    await perform(working(body)).performed;
    const alone = runtimeOf({ workflows: [workflowOf((step) => step.run("task", body))] });
    await takeWhole(alone, { run: claimedRun(), leaseUntil: alone.clock.now() + LEASE_MS });
    expect(keys).toEqual(["run-1:task", "run-1:task"]);
  });

  test.each<[string, AnyWorkflow, Situation, string]>([
    ["whose step is not asked for", workflowOf((step) => step.run("other", () => 1)), {}, "journal_mismatch"],
    ["whose step is a sleep now", workflowOf((step) => step.sleep("task", 1)), {}, "journal_mismatch"],
    [
      "whose journal does not fit",
      working(() => 1),
      { run: { journal: [entryOf({ key: "gone" })] } },
      "journal_mismatch",
    ],
    ["whose version is not registered", working(() => 1), { run: { version: 9 } }, "workflow_not_found"],
    [
      "beyond the items of its map",
      workflowOf((step) => step.map("m", [1, 2], () => 1)),
      { key: "m[2]" },
      "journal_mismatch",
    ],
  ])("%s performs nothing, and says that its run cannot go on (I7)", async (_, workflow, given, code) => {
    expect(await perform(workflow, given).performed).toMatchObject({
      outcome: "dead",
      failure: { code },
      output: null,
    });
  });

  test("that fails by itself is not mistaken for a run that cannot go on", async () => {
    const { performed } = perform(
      working(() => Promise.reject(new Error("no")), { retry: { maxAttempts: 1 } }),
    );
    expect(await performed).toMatchObject({ outcome: "failed", failure: { message: "no" } });
  });
});

describe("a branch's lease", () => {
  test("renews itself with the branch's turn, not the run's", async () => {
    const done = gate();
    const { clock, performed, renewals } = perform(
      working(() => done.promise),
      { run: { turn: 9 } },
    );
    await clock.advance(LEASE_MS / 3);
    expect(renewals).toEqual([[{ tenant: "default", runId: "run-1", key: "task" }, 4, LEASE_MS]]);
    done.resolve();
    expect(await performed).toMatchObject({ outcome: "completed", tookMs: LEASE_MS / 3 });
    await settle();
    expect(clock.asleep).toBe(0);
  });

  test("that is lost ends the signal, and nothing is written (I2)", async () => {
    let signal: AbortSignal | undefined;
    const { clock, performed } = perform(
      working((context) => {
        signal = context.signal;
        return new Promise(() => {});
      }),
      { store: { renewBranch: async () => false } },
    );
    await clock.advance(LEASE_MS / 3);
    expect(await performed).toBeNull();
    expect(signal?.reason).toBeInstanceOf(LeaseLost);
  });

  test("that ran out before the step could begin starts no body", async () => {
    const runtime = runtimeOf({ workflows: [working(() => expect.fail("performed"))] });
    const its = { attempt: 1, spent: 0, askedAt: 0 };
    const branch = { tenant: "default", runId: "run-1", key: "task", branchTurn: 1, ...its };
    const leaseUntil = runtime.clock.now();
    expect(await performBranch(runtime, { branch: { ...branch, run: claimedRun() }, leaseUntil })).toBeNull();
  });

  test("ends with the run's deadline, and nothing is written: the run's turn finds it", async () => {
    const { clock, performed } = perform(
      working(() => new Promise(() => {})),
      { run: { deadlineAt: NOON + 500 } },
    );
    await clock.advance(500);
    expect(await performed).toBeNull();
  });
});

describe("a step that must send heartbeats", () => {
  test("has failed once it goes without one for too long, and is tried again", async () => {
    let signal: AbortSignal | undefined;
    const { clock, performed, state } = perform(
      working(
        (context) => {
          signal = context.signal;
          return new Promise(() => {});
        },
        { heartbeat: "2 s" },
      ),
    );
    await clock.advance(1_999);
    expect(state.outcome).toBeUndefined();
    await clock.advance(1);
    expect(await performed).toMatchObject({ outcome: "retrying", failure: { code: "heartbeat_missed" } });
    expect(signal?.reason).toBeInstanceOf(HeartbeatMissed);
  });

  test("lives as long as it sends them", async () => {
    const beat = gate<() => Promise<void>>();
    const done = gate<string>();
    const { clock, performed, state, renewals } = perform(
      working(
        ({ heartbeat }) => {
          beat.resolve(heartbeat);
          return done.promise;
        },
        { heartbeat: 1_000 },
      ),
    );
    const heartbeat = await beat.promise;
    for (let i = 0; i < 8; i++) {
      await clock.advance(900);
      await heartbeat();
    }
    expect(state.outcome).toBeUndefined();
    expect(renewals).toHaveLength(8);
    await clock.advance(2_000);
    expect(await performed).toMatchObject({ failure: { code: "heartbeat_missed" } });
  });

  test("that is done in time leaves nothing behind", async () => {
    const { clock, performed } = perform(working(() => 1, { heartbeat: 1_000, timeout: 5_000 }));
    await performed;
    await settle();
    expect(clock.asleep).toBe(0);
  });
});

describe("a transaction", () => {
  const inside = (body: TransactionBody, options?: { retry: { maxAttempts: number } }) =>
    workflowOf((step) => step.transaction("task", body, options));
  const tx = {} as Transaction;

  test("is a branch even when it is alone, and no turn performs it", async () => {
    const runtime = runtimeOf({ workflows: [inside(() => expect.fail("performed"))] });
    expect(
      await takeWhole(runtime, { run: claimedRun(), leaseUntil: runtime.clock.now() + LEASE_MS }),
    ).toMatchObject({ status: "waiting", branches: [{ key: "task" }], entries: [] });
  });

  test("hands its output and its events to whoever commits them, and delivers nothing else", async () => {
    const given: unknown[] = [];
    const { performed } = perform(
      inside((_tx, { emit }) => {
        emit({ type: "a" });
        emit({ type: "b", data: 1 });
        return { n: 1 };
      }),
      {
        transactions: async (_branch, _isolation, _signal, work) => {
          given.push(await work(tx));
          return true;
        },
      },
    );
    expect(await performed).toMatchObject({ outcome: "delivered", output: null, failure: null });
    expect(given).toMatchObject([
      {
        output: { json: { n: 1 } },
        events: [
          { id: "run-1/task/1", type: "a" },
          { id: "run-1/task/2", type: "b" },
        ],
      },
    ]);
  });

  test("that throws was rolled back: its failure is written like any branch's", async () => {
    const { performed } = perform(
      inside(() => Promise.reject(new Error("no")), { retry: { maxAttempts: 1 } }),
      { transactions: async (_branch, _isolation, _signal, work) => Boolean(await work(tx)) },
    );
    expect(await performed).toMatchObject({ outcome: "failed", failure: { message: "no" } });
  });

  test("of which nobody knows whether it was committed writes nothing: the branch's row says it", async () => {
    const { performed } = perform(
      inside(() => 1),
      {
        transactions: () => Promise.reject(new StoreUnavailable(new Error("reset"))),
      },
    );
    expect(await performed).toBeNull();
  });

  test("whose lease was lost wrote nothing, and neither does its branch", async () => {
    const { performed } = perform(
      inside(() => 1),
      { transactions: async () => false },
    );
    expect(await performed).toBeNull();
  });
});

test("a workflow of another name under the branch's own is not performed", async () => {
  const other = defineWorkflow({ name: "other" }, async ({ step }) =>
    step.run("task", () => expect.fail("performed")),
  );
  expect(await perform(other).performed).toMatchObject({
    outcome: "dead",
    failure: { code: "workflow_not_found" },
  });
});
