import { describe, expect, test } from "vitest";
import { type Decision, decide } from "../../src/engine/decide.ts";
import { StoreUnavailable } from "../../src/engine/errors.ts";
import type { CommittedTurn } from "../../src/engine/ports.ts";
import { GroupCommit } from "../../src/runtime/group-commit.ts";
import { claimedRun, entryOf } from "../engine/support.ts";
import { gate, runtimeOf, settle } from "./support.ts";

const { retryAt: _, ...entry } = entryOf();

const decisionOf = (runId: string): Decision =>
  decide(claimedRun({ runId, turn: 5 }), { state: "threw", thrown: runId }, [
    { ...entry, retryInMs: null, tookMs: 0 },
  ]);

const committed = (decisions: readonly Decision[], wakeInMs: number | null = 0): CommittedTurn[] =>
  decisions.map(({ tenant, runId }) => ({ tenant, runId, status: "ready", wakeInMs }));

/** A store whose every commit waits until the test lets it go. */
function held() {
  const commits: { readonly runIds: string[]; answer(): void; fail(error: unknown): void }[] = [];
  const runtime = runtimeOf({
    store: {
      commitTurns: (decisions) => {
        const { promise, resolve, reject } = gate<CommittedTurn[]>();
        const runIds = decisions.map((decision) => decision.runId);
        commits.push({ runIds, answer: () => resolve(committed(decisions)), fail: reject });
        return promise;
      },
    },
  });
  return {
    runtime,
    commits,
    group: new GroupCommit(runtime),
    carried: () => commits.map((commit) => commit.runIds),
  };
}

/** A store that commits what `refuse` lets pass. */
function refusing(refuse: (decision: Decision) => unknown) {
  const tries: Decision[][] = [];
  const durable: Decision[] = [];
  const runtime = runtimeOf({
    store: {
      commitTurns: async (decisions) => {
        tries.push([...decisions]);
        for (const decision of decisions) {
          const error = refuse(decision);
          if (error !== undefined) throw error;
        }
        durable.push(...decisions);
        return committed(decisions);
      },
    },
  });
  return { runtime, tries, durable, group: new GroupCommit(runtime) };
}

describe("group commit", () => {
  test("commits a lone decision without waiting for time or company, then wakes", async () => {
    const { commits, group, runtime, carried } = held();
    let done = false;
    const added = group.add(decisionOf("a")).then(() => {
      done = true;
    });
    await settle();
    expect(carried()).toEqual([["a"]]);
    expect(done).toBe(false);
    expect(runtime.woken).toEqual([]);
    commits[0]?.answer();
    await added;
    expect(runtime.woken).toEqual([{ tenant: "default", runId: "a", wakeInMs: 0 }]);
    expect(runtime.clock.asleep).toBe(0);
  });

  test("what ends in the same instant goes in one round trip", async () => {
    const { commits, group, carried } = held();
    const added = ["a", "b", "c"].map((runId) => group.add(decisionOf(runId)));
    await settle();
    expect(carried()).toEqual([["a", "b", "c"]]);
    commits[0]?.answer();
    await Promise.all(added);
  });

  test("what ends while a commit is in flight goes together in the next", async () => {
    const { commits, group, carried } = held();
    const added = [group.add(decisionOf("a"))];
    await settle();
    for (const runId of ["b", "c"]) added.push(group.add(decisionOf(runId)));
    await settle();
    added.push(group.add(decisionOf("d")));
    await settle();
    expect(carried()).toEqual([["a"]]);
    commits[0]?.answer();
    await settle();
    expect(carried()).toEqual([["a"], ["b", "c", "d"]]);
    added.push(group.add(decisionOf("e")));
    await settle();
    expect(carried()).toHaveLength(2);
    commits[1]?.answer();
    await settle();
    expect(carried()).toEqual([["a"], ["b", "c", "d"], ["e"]]);
    commits[2]?.answer();
    await Promise.all(added);
  });

  test("a wake-up on its way does not hold up the next commit", async () => {
    const sent = gate();
    const { runtime, group, durable } = refusing(() => undefined);
    const slow = { ...runtime, wakeUps: { ...runtime.wakeUps, send: () => sent.promise } };
    const commits = new GroupCommit(slow);
    const added = [commits.add(decisionOf("a"))];
    await settle();
    added.push(commits.add(decisionOf("b")));
    await settle();
    expect(durable.map((decision) => decision.runId)).toEqual(["a", "b"]);
    sent.resolve();
    await Promise.all(added);
    await group.add(decisionOf("c"));
  });

  test("wakes only what is to be woken: not what is over, and not a turn that had moved on", async () => {
    const runtime = runtimeOf({
      store: {
        commitTurns: async ([a, b]) => [
          ...committed([a as Decision], null),
          ...committed([b as Decision], 1_500),
        ],
      },
    });
    const group = new GroupCommit(runtime);
    await Promise.all(["a", "b", "moved on"].map((runId) => group.add(decisionOf(runId))));
    expect(runtime.woken).toEqual([{ tenant: "default", runId: "b", wakeInMs: 1_500 }]);
    expect(runtime.reports).toEqual([]);
  });

  test("asks again with the very same decisions when the database does not answer, ever more slowly", async () => {
    let down = 3;
    const { runtime, group, tries } = refusing(() =>
      down-- > 0 ? new StoreUnavailable(new Error("down")) : undefined,
    );
    const decision = decisionOf("a");
    const added = group.add(decision);
    await settle();
    for (const [i, wait] of [100, 200, 400].entries()) {
      await runtime.clock.advance(wait - 1);
      expect(tries).toHaveLength(i + 1);
      await runtime.clock.advance(1);
      expect(tries).toHaveLength(i + 2);
    }
    await added;
    expect(tries).toEqual([[decision], [decision], [decision], [decision]]);
    expect(runtime.woken).toHaveLength(1);
    expect(runtime.reports).toEqual([]);
  });

  test("a commit whose answer was lost is asked for again, and its run is woken", async () => {
    const durable = new Set<string>();
    let answersLost = 1;
    const runtime = runtimeOf({
      store: {
        commitTurns: async (decisions) => {
          for (const { runId } of decisions) durable.add(runId);
          if (answersLost-- > 0) throw new StoreUnavailable(new Error("connection reset"));
          return committed(decisions.filter(({ runId }) => durable.has(runId)));
        },
      },
    });
    const added = new GroupCommit(runtime).add(decisionOf("a"));
    await runtime.clock.advance(100);
    await added;
    expect(runtime.woken).toHaveLength(1);
  });

  test("leaves the turns to their leases when the database stays away, and never says dead for that", async () => {
    const { runtime, group, tries } = refusing(() => new StoreUnavailable(new Error("down")));
    const added = ["a", "b"].map((runId) => group.add(decisionOf(runId)));
    await runtime.clock.advance(60_000);
    await Promise.all(added);
    expect(tries).toHaveLength(5);
    expect(tries.flat().filter((decision) => decision.status === "dead")).toEqual([]);
    expect(runtime.reports).toEqual([
      "committing 2 turns: The database does not answer at the moment. Try again.",
    ]);
    expect(runtime.woken).toEqual([]);
  });

  test("goes on after the database came back", async () => {
    let down = true;
    const { runtime, group, durable } = refusing(() =>
      down ? new StoreUnavailable(new Error("down")) : undefined,
    );
    const lost = group.add(decisionOf("a"));
    await runtime.clock.advance(60_000);
    await lost;
    down = false;
    await group.add(decisionOf("b"));
    expect(durable.map((decision) => decision.runId)).toEqual(["b"]);
  });

  test("one decision that the database refuses takes no neighbour with it, and ends as dead", async () => {
    const bad = (decision: Decision) => decision.runId === "bad" && decision.entries.length > 0;
    const { runtime, group, durable } = refusing((decision) =>
      bad(decision) ? new Error("22P05") : undefined,
    );
    await Promise.all(["a", "bad", "c"].map((runId) => group.add(decisionOf(runId))));
    expect(durable.map(({ runId, status, entries }) => [runId, status, entries.length])).toEqual([
      ["a", "failed", 1],
      ["bad", "dead", 0],
      ["c", "failed", 1],
    ]);
    const dead = durable[1];
    expect(dead).toMatchObject({
      turn: 5,
      failure: { message: "The database refuses what this turn decided." },
    });
    expect(dead?.failure?.cause?.message).toBe("22P05");
    expect(runtime.woken.map(({ runId }) => runId)).toEqual(["a", "bad", "c"]);
    expect(runtime.reports).toHaveLength(2);
  });

  test("a run whose death is refused as well is left to its lease, without an endless loop", async () => {
    const { runtime, group, durable, tries } = refusing(({ runId }) =>
      runId === "bad" ? new Error("no") : undefined,
    );
    await Promise.all(["bad", "b"].map((runId) => group.add(decisionOf(runId))));
    expect(durable.map(({ runId }) => runId)).toEqual(["b"]);
    expect(tries.length).toBeLessThan(6);
    expect(runtime.reports.length).toBeGreaterThan(0);
  });

  test("an error of the queue is reported, and the decision still counts as committed", async () => {
    const { durable, runtime } = refusing(() => undefined);
    for (const send of [
      () => Promise.reject(new Error("queue down")),
      () => {
        throw new Error("queue down");
      },
    ]) {
      const group = new GroupCommit({ ...runtime, wakeUps: { ...runtime.wakeUps, send } });
      await expect(group.add(decisionOf("a"))).resolves.toBeUndefined();
    }
    expect(durable).toHaveLength(2);
    expect(runtime.reports).toEqual(Array(2).fill("sending wake-ups after a commit: queue down"));
  });
});
