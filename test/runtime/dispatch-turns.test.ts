import { describe, expect, test } from "vitest";
import { type Decision, decide } from "../../src/engine/decide.ts";
import { StoreUnavailable } from "../../src/engine/errors.ts";
import type { ClaimedBatch } from "../../src/engine/ports.ts";
import type { ClaimedRun } from "../../src/engine/run.ts";
import { dispatchTurns, type Loopback } from "../../src/runtime/dispatch-turns.ts";
import { claimedRun } from "../engine/support.ts";
import { type Given, gate, LEASE_MS, runtimeOf, settle } from "./support.ts";

const refs = (...runIds: string[]) => runIds.map((runId) => ({ tenant: "default", runId }));
const runs = (...runIds: string[]) => runIds.map((runId) => claimedRun({ runId }));
const decisionOf = (run: ClaimedRun): Decision => decide(run, { state: "finished", output: run.runId }, []);
const obey: Loopback = async ({ run }) => decisionOf(run);

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
        return decisions.map(({ tenant, runId }) => ({ tenant, runId, status: "ready", wakeInMs: 0 }));
      },
      ...given.store,
    },
  });
  const dispatch = async (loopback: Loopback, ...runIds: string[]) =>
    dispatchTurns(runtime, loopback, refs(...runIds));
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
    const die: Loopback = ({ run }) => {
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
    expect(log).toEqual([`claim  for ${LEASE_MS}`]);
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

  test("rejects when the claim fails, and starts nothing: the wake-ups are to come again", async () => {
    const { dispatch } = dispatcher(
      { claimed: [], suspects: [] },
      { store: { claimRuns: () => Promise.reject(new StoreUnavailable(new Error("down"))) } },
    );
    await expect(dispatch(() => expect.fail("started"), "a")).rejects.toBeInstanceOf(StoreUnavailable);
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
