import { describe, expect, test } from "vitest";
import type { BranchOutcome } from "../../src/engine/branch.ts";
import { type Decision, decide } from "../../src/engine/decide.ts";
import { StoreUnavailable } from "../../src/engine/errors.ts";
import type { ClaimedBatch, ClaimedBranches } from "../../src/engine/ports.ts";
import type { ClaimedBranch, ClaimedRun } from "../../src/engine/run.ts";
import { defineWorkflow } from "../../src/engine/workflow.ts";
import { dispatchTurns, type Loopback } from "../../src/runtime/dispatch-turns.ts";
import { claimedRun } from "../engine/support.ts";
import { type Given, gate, LEASE_MS, runtimeOf, settle } from "./support.ts";

const refs = (...runIds: string[]) => runIds.map((runId) => ({ tenant: "default", runId }));
const runs = (...runIds: string[]) => runIds.map((runId) => claimedRun({ runId }));
const decisionOf = (run: ClaimedRun): Decision => decide(run, { state: "finished", output: run.runId });
const outcomeOf = ({ tenant, runId, key, branchTurn, attempt }: ClaimedBranch): BranchOutcome => {
  const nothing = { output: null, failure: null, retryInMs: null, tookMs: 0 };
  return { tenant, runId, key, branchTurn, attempt, outcome: "completed", ...nothing };
};
const branchOf = (runId: string, key: string): ClaimedBranch => {
  const run = claimedRun({ runId });
  return { tenant: "default", runId, key, branchTurn: 2, attempt: 1, spent: 0, askedAt: 0, run };
};

/** A loopback that does what it is told with turns, and with branches. */
const loopbackOf = (
  take: Loopback["take"],
  perform: Loopback["perform"] = async ({ branch }) => outcomeOf(branch),
): Loopback => ({ take, perform });
const obey: Loopback["take"] = async ({ run }) => decisionOf(run);

/** A dispatcher over a store that notes in order what is asked of it. */
function dispatcher(batch: ClaimedBatch, given: Given = {}) {
  const log: string[] = [];
  const runtime = runtimeOf({
    ...given,
    store: {
      claimRuns: async (asked, leaseMs) => {
        log.push(`claim ${asked.map(({ runId }) => runId)} for ${leaseMs}`);
        return batch;
      },
      claimSuspect: async ({ runId }) => {
        log.push(`claim suspect ${runId}`);
        return { claimed: runs(runId), suspects: [] };
      },
      commitTurns: async (decisions) => {
        log.push(`commit ${decisions.map(({ runId }) => runId)}`);
        return {
          turns: decisions.map(({ tenant, runId }) => ({ tenant, runId, status: "ready" })),
          due: decisions.map(({ tenant, runId }) => ({ tenant, runId, wakeInMs: 0 })),
        };
      },
      ...given.store,
    },
  });
  /** Without names it is handed one, so that there is something to claim. */
  const dispatch = async (take: Loopback["take"], ...runIds: string[]) =>
    dispatchTurns(runtime, loopbackOf(take), refs(...(runIds.length === 0 ? ["any"] : runIds)));
  return { runtime, log, dispatch };
}

describe("the dispatcher", () => {
  test("claims a batch in one round trip, gives each run its own invocation, and commits together", async () => {
    const { log, dispatch, runtime } = dispatcher({ claimed: runs("a", "b"), suspects: [] });
    const invocations: string[] = [];
    const { claimed, done } = await dispatch(
      async ({ run }) => {
        invocations.push(run.runId);
        return decisionOf(run);
      },
      "a",
      "b",
      "not due",
    );
    expect(claimed).toBe(2);
    await done;
    expect(invocations).toEqual(["a", "b"]);
    expect(log).toEqual([`claim a,b,not due for ${LEASE_MS}`, "commit a,b"]);
    expect(runtime.woken.map(({ runId }) => runId)).toEqual(["a", "b"]);
  });

  test("says what it has code for, and leaves what is another deployment's to the queue for a minute", async () => {
    const asked: unknown[] = [];
    const foreign = [1, 59_999, 60_000].map((overdueMs, i) => {
      return { tenant: "default", runId: `r${i}`, workflow: "ship", version: 3, overdueMs };
    });
    const workflows = [1, 2].map((version) => defineWorkflow({ name: "ship", version }, async () => {}));
    const { runtime } = dispatcher(
      { claimed: [], suspects: [] },
      {
        workflows,
        store: {
          claimRuns: async (_claims, _leaseMs, known) => {
            asked.push(known);
            return { claimed: [], suspects: [], foreign };
          },
        },
      },
    );
    const { claimed, unclaimed, done } = await dispatchTurns(
      runtime,
      loopbackOf(obey),
      refs("r0", "r1", "r2"),
    );
    await done;
    expect(asked).toEqual([{ ship: [1, 2] }]);
    expect(claimed).toBe(0);
    expect(unclaimed.map(({ runId }) => runId)).toEqual(["r0", "r1"]);
    // Of a version that is gone there may be many: they are one line.
    expect(runtime.reports).toHaveLength(1);
    expect(runtime.reports[0]).toContain('to another deployment: No workflow "ship" version 3 is registered');
  });

  test("counts a lease from before the claim, however long the claim takes", async () => {
    const { runtime, dispatch } = dispatcher(
      { claimed: [], suspects: [] },
      {
        store: {
          claimRuns: async () => {
            await runtime.clock.sleep(10_000);
            return { claimed: runs("a"), suspects: [] };
          },
        },
      },
    );
    const before = runtime.clock.now();
    const leases: number[] = [];
    const dispatched = dispatch(async ({ leaseUntil }) => {
      leases.push(leaseUntil);
      return null;
    }, "a");
    await runtime.clock.advance(10_000);
    await (await dispatched).done;
    expect(leases).toEqual([before + LEASE_MS]);
  });

  test("commits a quick turn while a slow one still runs", async () => {
    const slow = gate<Decision>();
    const { log, dispatch } = dispatcher({ claimed: runs("slow", "quick"), suspects: [] });
    const { done } = await dispatch(({ run }) =>
      run.runId === "slow" ? slow.promise : obey({ run, leaseUntil: 0 }),
    );
    await settle();
    expect(log).toContain("commit quick");
    slow.resolve(decisionOf(claimedRun({ runId: "slow" })));
    await done;
    expect(log.at(-1)).toBe("commit slow");
  });

  test("commits nothing for a turn whose lease was lost (I2)", async () => {
    const { log, dispatch, runtime } = dispatcher({ claimed: runs("lost"), suspects: [] });
    await (await dispatch(async () => null)).done;
    expect(log).toHaveLength(1);
    expect(runtime.reports).toEqual([]);
  });

  test("an invocation that dies commits nothing, is reported, and the others go on", async () => {
    const die: Loopback["take"] = ({ run }) => {
      if (run.runId === "dies later") return Promise.reject(new Error("exceeded memory"));
      if (run.runId === "dies at once") throw new Error("no such entrypoint");
      return obey({ run, leaseUntil: 0 });
    };
    const { log, dispatch, runtime } = dispatcher({
      claimed: runs("dies at once", "a", "dies later", "b"),
      suspects: [],
    });
    await (await dispatch(die)).done;
    expect(log.slice(1)).toEqual(["commit a,b"]);
    expect(runtime.reports).toEqual([
      "turn 1 of run dies at once: no such entrypoint",
      "turn 1 of run dies later: exceeded memory",
    ]);
  });

  test("claims what was too much for one claim share by share, beside the others, and suspects after all (N2)", async () => {
    const slow = gate<Decision>();
    const shares: ClaimedBatch[] = [
      { claimed: runs("light"), suspects: refs("s"), rest: refs("b", "c", "d") },
      { claimed: runs("b"), suspects: [], rest: refs("c", "d") },
      { claimed: runs("c", "d"), suspects: [] },
    ];
    const { log, dispatch } = dispatcher(
      { claimed: [], suspects: [] },
      {
        store: {
          claimRuns: async (asked) => {
            log.push(`claim ${asked.map(({ runId }) => runId)}`);
            return shares.shift() ?? expect.fail("claimed too often");
          },
        },
      },
    );
    const { claimed, done } = await dispatch(({ run, leaseUntil }) =>
      run.runId === "light" || run.runId === "b" ? slow.promise : obey({ run, leaseUntil }),
    );
    expect(claimed).toBe(1);
    await settle();
    // One share waits for the turns of the one before it, and not for what was claimed at once.
    expect(log).toEqual(["claim any", "claim b,c,d"]);
    slow.resolve(decisionOf(claimedRun({ runId: "b" })));
    await done;
    expect(log.filter((line) => line.startsWith("claim"))).toEqual([
      "claim any",
      "claim b,c,d",
      "claim c,d",
      "claim suspect s",
    ]);
  });

  test("stops claiming the rest when none of it can be had, or the database is away", async () => {
    for (const next of [
      async () => ({ claimed: [], suspects: [], rest: refs("b") }),
      () => Promise.reject(new StoreUnavailable(new Error("down"))),
    ]) {
      let claims = 0;
      const { dispatch, runtime } = dispatcher(
        { claimed: [], suspects: [] },
        {
          store: {
            claimRuns: async () => {
              claims += 1;
              return claims === 1 ? { claimed: runs("a"), suspects: [], rest: refs("b") } : next();
            },
          },
        },
      );
      await (await dispatch(obey)).done;
      expect(claims).toBe(2);
      expect(runtime.reports.length).toBeLessThan(2);
    }
  });

  test("a function that was of no use is forgotten: its turn is taken again, once", async () => {
    const { dispatch, log } = dispatcher({ claimed: runs("a"), suspects: [] });
    let times = 0;
    await (
      await dispatch(async (turn) => {
        times += 1;
        return times === 1 ? "cold" : obey(turn);
      })
    ).done;
    expect([times, log.at(-1)]).toEqual([2, "commit a"]);
  });

  test("takes suspects last, each alone: claimed, performed and committed before the next is claimed", async () => {
    const slow = gate<Decision>();
    const { log, dispatch } = dispatcher({ claimed: runs("a"), suspects: refs("x", "y") });
    let together = 0;
    const { claimed, done } = await dispatch(async ({ run }) => {
      if (run.runId === "a") return slow.promise;
      expect(together).toBe(0);
      together += 1;
      await settle();
      together -= 1;
      log.push(`performed ${run.runId}`);
      return decisionOf(run);
    });
    expect(claimed).toBe(1);
    await settle();
    expect(log).toEqual([`claim any for ${LEASE_MS}`]);
    slow.resolve(decisionOf(claimedRun({ runId: "a" })));
    await done;
    expect(log.slice(1)).toEqual([
      "commit a",
      "claim suspect x",
      "performed x",
      "commit x",
      "claim suspect y",
      "performed y",
      "commit y",
    ]);
  });

  test("a suspect that dies again, or cannot be claimed, does not keep the next from its turn", async () => {
    const { runtime, dispatch, log } = dispatcher(
      { claimed: [], suspects: refs("x", "y", "taken", "z") },
      {
        store: {
          claimSuspect: async ({ runId }) => {
            if (runId === "y") throw new StoreUnavailable(new Error("down"));
            return { claimed: runId === "taken" ? [] : runs(runId), suspects: [] };
          },
        },
      },
    );
    await (
      await dispatch(({ run, leaseUntil }) =>
        run.runId === "x" ? Promise.reject(new Error("died")) : obey({ run, leaseUntil }),
      )
    ).done;
    expect(log.slice(1)).toEqual(["commit z"]);
    expect(runtime.reports).toEqual([
      "turn 1 of run x: died",
      "claiming run y: The database does not answer at the moment. Try again.",
    ]);
  });

  test("a claim that fails starts nothing, and says whose wake-ups are to come again", async () => {
    const { dispatch } = dispatcher(
      { claimed: [], suspects: [] },
      { store: { claimRuns: () => Promise.reject(new StoreUnavailable(new Error("down"))) } },
    );
    const { claimed, unclaimed } = await dispatch(() => expect.fail("started"), "a");
    expect({ claimed, unclaimed }).toEqual({ claimed: 0, unclaimed: refs("a") });
  });

  test("a queue that fails is reported, and nothing is thrown", async () => {
    const { runtime, dispatch, log } = dispatcher(
      { claimed: runs("a"), suspects: refs("x") },
      { wakeUps: { send: () => Promise.reject(new Error("queue down")) } },
    );
    await expect((await dispatch(obey)).done).resolves.toBeUndefined();
    expect(log.slice(1)).toEqual(["commit a", "claim suspect x", "commit x"]);
    expect(runtime.reports).toEqual(Array(2).fill("sending wake-ups after a commit: queue down"));
  });
});

describe("the dispatcher of branches", () => {
  const names = (...keys: string[]) => keys.map((branch) => ({ tenant: "default", runId: "r", branch }));
  const branches = (...keys: string[]) => keys.map((key) => branchOf("r", key));

  /** A store that claims the given branches and notes in order what is asked of it. */
  function forked(claim: ClaimedBranches, given: Given = {}) {
    const { runtime, log } = dispatcher(
      { claimed: runs("a"), suspects: [] },
      {
        ...given,
        store: {
          claimBranches: async (asked, leaseMs) => {
            log.push(`claim branches ${asked.map(({ key }) => key)} for ${leaseMs}`);
            return claim;
          },
          claimSuspectBranch: async ({ key }) => {
            log.push(`claim suspect branch ${key}`);
            return { claimed: branches(key), suspects: [] };
          },
          commitBranches: async (outcomes) => {
            log.push(`deliver ${outcomes.map(({ key }) => key)}`);
            return [{ tenant: "default", runId: "r", wakeInMs: 0 }];
          },
          ...given.store,
        },
      },
    );
    return { runtime, log };
  }

  test("claims the branches of a batch together, gives each its own invocation, and delivers together", async () => {
    const { runtime, log } = forked({ claimed: branches("x", "y"), suspects: [] });
    const invocations: string[] = [];
    const loopback = loopbackOf(obey, async ({ branch }) => {
      invocations.push(branch.key);
      return outcomeOf(branch);
    });
    const { claimed, done } = await dispatchTurns(runtime, loopback, names("x", "y", "not due"));
    expect(claimed).toBe(2);
    await done;
    expect(invocations).toEqual(["x", "y"]);
    expect(log).toEqual([`claim branches x,y,not due for ${LEASE_MS}`, "deliver x,y"]);
    expect(runtime.woken).toEqual([{ tenant: "default", runId: "r", wakeInMs: 0 }]);
  });

  test("a batch of both claims each kind once, and a slow branch holds up no turn", async () => {
    const slow = gate<BranchOutcome>();
    const { runtime, log } = forked({ claimed: branches("x"), suspects: [] });
    const loopback = loopbackOf(obey, () => slow.promise);
    const { claimed, done } = await dispatchTurns(runtime, loopback, [...refs("a"), ...names("x")]);
    expect(claimed).toBe(2);
    await settle();
    expect(log).toEqual([`claim a for ${LEASE_MS}`, `claim branches x for ${LEASE_MS}`, "commit a"]);
    slow.resolve(outcomeOf(branchOf("r", "x")));
    await done;
    expect(log.at(-1)).toBe("deliver x");
  });

  test("asks for no turn where a batch names branches only, and for no branch where it names turns only", async () => {
    const only = forked({ claimed: [], suspects: [] });
    await dispatchTurns(only.runtime, loopbackOf(obey), names("x"));
    expect(only.log).toEqual([`claim branches x for ${LEASE_MS}`]);
    const turns = forked({ claimed: [], suspects: [] });
    await (await dispatchTurns(turns.runtime, loopbackOf(obey), refs("a"))).done;
    expect(turns.log).toEqual([`claim a for ${LEASE_MS}`, "commit a"]);
  });

  test("one that died or lost its lease delivers nothing, and the others go on", async () => {
    const { runtime, log } = forked({ claimed: branches("dies", "lost", "x"), suspects: [] });
    const loopback = loopbackOf(obey, async ({ branch }) => {
      if (branch.key === "dies") throw new Error("exceeded memory");
      return branch.key === "lost" ? null : outcomeOf(branch);
    });
    await (await dispatchTurns(runtime, loopback, names("dies", "lost", "x"))).done;
    expect(log.slice(1)).toEqual(["deliver x"]);
    expect(runtime.reports).toEqual(['branch "dies" of run r: exceeded memory']);
  });

  test("takes suspects last, each alone", async () => {
    const slow = gate();
    const { runtime, log } = forked({
      claimed: branches("x"),
      suspects: ["s1", "s2"].map((key) => ({ tenant: "default", runId: "r", key })),
    });
    const loopback = loopbackOf(obey, async ({ branch }) => {
      if (branch.key === "x") await slow.promise;
      return outcomeOf(branch);
    });
    const { done } = await dispatchTurns(runtime, loopback, names("x", "s1", "s2"));
    await settle();
    expect(log).toHaveLength(1);
    slow.resolve();
    await done;
    expect(log.slice(1)).toEqual([
      "deliver x",
      "claim suspect branch s1",
      "deliver s1",
      "claim suspect branch s2",
      "deliver s2",
    ]);
  });

  test.each([
    ["runs", "claimRuns", refs("a")],
    ["branches", "claimBranches", names("x")],
  ] as const)(
    "when the claim of the %s fails, theirs are the wake-ups to come again",
    async (_, verb, asked) => {
      const down = () => Promise.reject(new StoreUnavailable(new Error("down")));
      const { runtime } = forked({ claimed: [], suspects: [] }, { store: { [verb]: down } });
      const { unclaimed } = await dispatchTurns(runtime, loopbackOf(obey), [...refs("a"), ...names("x")]);
      expect(unclaimed).toEqual(asked);
    },
  );

  test("what was claimed is performed and committed, although the claim of the other kind failed", async () => {
    const down = () => Promise.reject(new StoreUnavailable(new Error("down")));
    const { runtime, log } = forked({ claimed: [], suspects: [] }, { store: { claimBranches: down } });
    const { done } = await dispatchTurns(runtime, loopbackOf(obey), [...refs("a"), ...names("x")]);
    await done;
    expect(log).toContain("commit a");
  });
});
