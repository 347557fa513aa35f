/** What the store in memory has besides the verbs that Postgres has, too: its checks, its clock, its transactions. */
import { beforeEach, describe, expect, test } from "vitest";
import type { ClaimedBranch, ClaimedRun } from "../../src/engine/run.ts";
import { decision, HOUR, LEASE, newRun, only } from "../storage/support/builders.ts";
import { newBranch, newWait, outcome, parks } from "../storage/support/family.ts";
import type { StoredRun } from "./memory/tables.ts";
import { createMemory, type Memory } from "./memory.ts";

const START = Date.UTC(2030, 0, 1);

let memory: Memory;
beforeEach(() => {
  memory = createMemory({ now: START });
});

async function claimed(id: string): Promise<ClaimedRun> {
  await memory.store.startRuns("default", [newRun({ id })]);
  return only((await memory.store.claimRuns([{ tenant: "default", runId: id }], LEASE)).claimed);
}

/** A run that waits for a branch, which is held. */
async function branched(): Promise<ClaimedBranch> {
  const run = await claimed("a");
  await memory.store.commitTurns([parks(run, { branches: [newBranch("pay")] })]);
  return only(
    (await memory.store.claimBranches([{ tenant: "default", runId: "a", key: "pay" }], LEASE)).claimed,
  );
}

function stored(id: string): StoredRun {
  const run = memory.tables.tenants.get("default")?.runs.get(id);
  if (run === undefined) throw new Error(`no run ${id}`);
  return run;
}

describe("checks", () => {
  test.each<[string, (run: StoredRun) => void]>([
    ["leased_iff_running", ({ row }) => Object.assign(row, { leaseExpiresAt: null })],
    ["due_only_when_parked", ({ row }) => Object.assign(row, { wakeAt: START })],
    ["ready_is_due", ({ row }) => Object.assign(row, { status: "ready", leaseExpiresAt: null })],
    ["finished_iff_final", ({ row }) => Object.assign(row, { finishedAt: START })],
    ["verdict_iff_compensating", ({ row }) => Object.assign(row, { phase: "compensating" })],
    ["hooks_by_digest", ({ hooks }) => hooks.set("k", hookOf("digest"))],
    ["its groups list it", ({ groups }) => groups.add("crew")],
    ["the senders of its deliveries are known", ({ senders }) => senders.add("x")],
  ])("a row that breaks a rule is named: %s", async (name, spoil) => {
    await claimed("a");
    await claimed("b");
    expect(memory.violations()).toEqual([]);
    spoil(stored("a"));
    expect(memory.violations()).toContain(`run a: ${name}`);
    expect(memory.violations().filter((line) => line.startsWith("run b"))).toEqual([]);
  });

  test("a run that nothing moves any more is stuck, and one that waits for something is not", async () => {
    await memory.store.commitTurns([parks(await claimed("a"), { waits: [newWait("signal", "paid")] })]);
    expect(memory.stuckRuns()).toEqual([]);
    stored("a").waits.clear();
    expect(memory.stuckRuns()).toEqual([{ runId: "a", why: "waits for nothing" }]);
  });

  test("a run that sleeps past its timer is stuck", async () => {
    const timers = [{ key: "nap", due: { inMs: 1_000 } }];
    await memory.store.commitTurns([
      decision(await claimed("a"), { status: "waiting", wakeInMs: HOUR, timers }),
    ]);
    expect(memory.stuckRuns()).toEqual([{ runId: "a", why: "sleeps past its timer nap" }]);
  });
});

function hookOf(digest: string) {
  return { tenant: "default", runId: "a", key: "k", digest, expiresAt: START, usedAt: null };
}

test("the clock stands still until it is moved, and starts where it is told", async () => {
  const run = await claimed("a");
  await claimed("b");
  expect([run.now, memory.now()]).toEqual([START, START]);
  memory.moveClock(HOUR);
  expect((await claimed("c")).now).toBe(START + HOUR);
});

test("chance comes from outside", async () => {
  const backoff = async (random: number) => {
    memory = createMemory({ random: () => random });
    await claimed("a");
    memory.moveClock(LEASE);
    return only((await memory.store.reclaimLeases(10, 5)).due).wakeInMs;
  };
  expect([await backoff(0), await backoff(0.5), await backoff(1)]).toEqual([750, 875, 1_000]);
});

test("what a caller is given does not change with what is stored", async () => {
  const run = await claimed("a");
  const before = structuredClone(run);
  const waits = [newWait("signal", "paid")];
  await memory.store.commitTurns([parks(run, { waits, branches: [newBranch("pay")] })]);
  expect(run).toEqual(before);
});

describe("transactions", () => {
  const given = {
    output: { json: 7, meta: null },
    events: [{ id: "1", type: "paid", subject: null, data: null }],
  };
  const transact = (branch: ClaimedBranch, signal = new AbortController().signal, work = async () => given) =>
    memory.transactions.run(branch, "read committed", signal, work);

  test("tell their run, send their events and take their branch away, in one go", async () => {
    const branch = await branched();
    expect(await transact(branch)).toBe(true);
    expect(stored("a").branches.size).toBe(0);
    const turn = only((await memory.store.claimRuns([branch], LEASE)).claimed);
    expect(turn.inbox).toMatchObject([
      { kind: "branch", name: "pay", outcome: "completed", payload: given.output },
    ]);
    expect(await memory.reads.event("default", "1")).toMatchObject({ type: "paid", runId: "a" });
  });

  test("I2: of a lost lease, write nothing", async () => {
    const branch = await branched();
    await memory.store.commitBranches([outcome(branch, { outcome: "completed" })]);
    expect(await transact(branch)).toBe(false);
    expect(stored("a").inbox.size).toBe(1);
    expect(await memory.reads.event("default", "1")).toBeNull();
  });

  test("whose body throws, or whose signal aborts, write nothing and say why", async () => {
    const branch = await branched();
    const fails = async () => {
      throw new Error("no money");
    };
    await expect(transact(branch, undefined, fails)).rejects.toThrow("no money");
    await expect(transact(branch, AbortSignal.abort(new Error("lost")))).rejects.toThrow("lost");
    expect([stored("a").branches.size, stored("a").inbox.size]).toEqual([1, 0]);
  });
});
