import { describe, expect, test } from "vitest";
import type { BranchOutcome } from "../../src/engine/branch.ts";
import { type Decision, decide } from "../../src/engine/decide.ts";
import { StoreUnavailable } from "../../src/engine/errors.ts";
import type { Committed, Store } from "../../src/engine/ports.ts";
import { branchCommit, turnCommit } from "../../src/runtime/commit-outcomes.ts";
import { GroupCommit } from "../../src/runtime/group-commit.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { claimedRun, doneWith, newEntryOf } from "../engine/support.ts";
import { gate, runtimeOf, settle } from "./support.ts";

const decisionOf = (runId: string): Decision =>
  decide(claimedRun({ runId, turn: 5 }), { state: "threw", thrown: runId }, doneWith(newEntryOf()));

const committed = (decisions: readonly Decision[]): Committed => ({
  turns: decisions.map(({ tenant, runId }) => ({ tenant, runId, status: "ready" })),
  due: decisions.map(({ tenant, runId }) => ({ tenant, runId, wakeInMs: 0 })),
});

/** The group commit of turns, as the dispatcher makes it. */
const turnsOf = (runtime: Runtime) => new GroupCommit(runtime, turnCommit(runtime));

/** A store whose every commit waits until the test lets it go. */
function held() {
  const commits: { readonly runIds: string[]; answer(): void; fail(error: unknown): void }[] = [];
  const runtime = runtimeOf({
    store: {
      commitTurns: (decisions) => {
        const { promise, resolve, reject } = gate<Committed>();
        const runIds = decisions.map((decision) => decision.runId);
        commits.push({ runIds, answer: () => resolve(committed(decisions)), fail: reject });
        return promise;
      },
    },
  });
  return {
    runtime,
    commits,
    group: turnsOf(runtime),
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
  return { runtime, tries, durable, group: turnsOf(runtime) };
}

describe("group commit", () => {
  test("carries no more at once than one request should, and one decision however large (N2)", async () => {
    const { group, carried, commits } = held();
    const sized = (runId: string, entryBytes: number) => ({ ...decisionOf(runId), entryBytes });
    const added = [
      sized("a", 3_000_000),
      sized("b", 900_000),
      sized("c", 200_000),
      sized("d", 9_000_000),
      sized("e", 1),
    ].map((decision) => group.add(decision));
    for (const count of [1, 2, 3, 4]) {
      await settle();
      expect(carried()).toHaveLength(count);
      commits[count - 1]?.answer();
    }
    await Promise.all(added);
    expect(carried()).toEqual([["a", "b"], ["c"], ["d"], ["e"]]);
  });

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
    const commits = turnsOf(slow);
    const added = [commits.add(decisionOf("a"))];
    await settle();
    added.push(commits.add(decisionOf("b")));
    await settle();
    expect(durable.map((decision) => decision.runId)).toEqual(["a", "b"]);
    sent.resolve();
    await Promise.all(added);
    await group.add(decisionOf("c"));
  });

  test("wakes what the commit made due, branches and children too, and nothing else", async () => {
    const due = [
      { tenant: "default", runId: "b", wakeInMs: 1_500 },
      { tenant: "default", runId: "b", branch: "step", wakeInMs: 0 },
      { tenant: "default", runId: "child", wakeInMs: 0 },
    ];
    const runtime = runtimeOf({
      store: { commitTurns: async ([a, b]) => ({ ...committed([a as Decision, b as Decision]), due }) },
    });
    const group = turnsOf(runtime);
    await Promise.all(["a", "b", "moved on"].map((runId) => group.add(decisionOf(runId))));
    expect(runtime.woken).toEqual(due);
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
    const added = turnsOf(runtime).add(decisionOf("a"));
    await runtime.clock.advance(100);
    await added;
    expect(runtime.woken).toHaveLength(1);
  });

  test("of several tries that failed, the first failure is the one that is told", async () => {
    const causes: unknown[] = [];
    let tries = 0;
    const runtime = {
      ...runtimeOf({
        store: {
          commitTurns: async () => {
            tries += 1;
            throw new StoreUnavailable(new Error(`down ${tries}`));
          },
        },
      }),
      report: (_what: string, error: unknown) => void causes.push((error as Error).cause),
    };
    const added = turnsOf(runtime).add(decisionOf("a"));
    await runtime.clock.advance(60_000);
    await added;
    expect(tries).toBe(5);
    expect(causes).toEqual([new Error("down 1")]);
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
      const group = turnsOf({ ...runtime, wakeUps: { ...runtime.wakeUps, send } });
      await expect(group.add(decisionOf("a"))).resolves.toBeUndefined();
    }
    expect(durable).toHaveLength(2);
    expect(runtime.reports).toEqual(Array(2).fill("sending wake-ups after a commit: queue down"));
  });
});

describe("the commit of turns that begin to wait for messages", () => {
  const waiting = (runId: string, channel: string): Decision => ({
    ...decisionOf(runId),
    waits: [{ key: `receive ${channel}`, kind: "message", name: channel, due: null }],
  });
  const matching = (matchMessages: Store["matchMessages"]) =>
    runtimeOf({ store: { commitTurns: async (decisions) => committed(decisions), matchMessages } });

  test("brings those that are there already, and wakes whoever gets one", async () => {
    const asked: unknown[] = [];
    const runtime = matching(async (tenant, channel) => {
      asked.push([tenant, channel]);
      return [{ tenant: "default", runId: `reader of ${channel}`, wakeInMs: 0 }];
    });
    const group = turnsOf(runtime);
    await Promise.all([group.add(waiting("a", "news")), group.add(decisionOf("b"))]);
    expect(asked).toEqual([["default", "news"]]);
    expect(runtime.woken.map(({ runId }) => runId)).toEqual(["a", "b", "reader of news"]);
  });

  test("that cannot look for them is committed all the same: it is reported, and the sweep looks again", async () => {
    const runtime = matching(() => Promise.reject(new StoreUnavailable(new Error("down"))));
    await turnsOf(runtime).add(waiting("a", "news"));
    expect(runtime.reports).toEqual([
      "matching messages after a commit: The database does not answer at the moment. Try again.",
    ]);
    expect(runtime.woken.map(({ runId }) => runId)).toEqual(["a"]);
  });
});

describe("group commit of branches", () => {
  const outcomeOf = (key: string, changes: Partial<BranchOutcome> = {}): BranchOutcome => ({
    tenant: "default",
    runId: "run-1",
    key,
    branchTurn: 3,
    outcome: "completed",
    attempt: 2,
    output: { json: key, meta: null },
    failure: null,
    retryInMs: null,
    tookMs: 5,
    ...changes,
  });
  const committing = (commitBranches: Store["commitBranches"]) => {
    const runtime = runtimeOf({ store: { commitBranches } });
    return { runtime, group: new GroupCommit(runtime, branchCommit(runtime)) };
  };

  test("carries together what ended together, and wakes what is due because of it", async () => {
    const carried: string[][] = [];
    const { runtime, group } = committing(async (outcomes) => {
      carried.push(outcomes.map(({ key }) => key));
      return [{ tenant: "default", runId: "run-1", wakeInMs: 0 }];
    });
    await Promise.all(["a", "b", "c"].map((key) => group.add(outcomeOf(key))));
    expect(carried).toEqual([["a", "b", "c"]]);
    expect(runtime.woken).toEqual([{ tenant: "default", runId: "run-1", wakeInMs: 0 }]);
  });

  test("asks again when the database does not answer, and then leaves them to their leases", async () => {
    let tries = 0;
    const { runtime, group } = committing(() => {
      tries += 1;
      return Promise.reject(new StoreUnavailable(new Error("down")));
    });
    const added = group.add(outcomeOf("a"));
    await runtime.clock.advance(60_000);
    await added;
    expect(tries).toBe(5);
    expect(runtime.reports).toEqual([
      "committing 1 branches: The database does not answer at the moment. Try again.",
    ]);
  });

  test("one that the database refuses takes no neighbour with it, and makes its run dead", async () => {
    const durable: BranchOutcome[] = [];
    const { group } = committing(async (outcomes) => {
      if (outcomes.some(({ key, outcome }) => key === "bad" && outcome !== "dead")) throw new Error("22P05");
      durable.push(...outcomes);
      return [];
    });
    await Promise.all(["a", "bad", "c"].map((key) => group.add(outcomeOf(key, { retryInMs: 7 }))));
    expect(durable.map(({ key, outcome }) => [key, outcome])).toEqual([
      ["a", "completed"],
      ["bad", "dead"],
      ["c", "completed"],
    ]);
    expect(durable[1]).toMatchObject({
      branchTurn: 3,
      output: null,
      retryInMs: null,
      failure: { message: "The database refuses what this turn decided.", cause: { message: "22P05" } },
    });
  });

  test("one whose death is refused as well is left to its lease, without an endless loop", async () => {
    let tries = 0;
    const { group, runtime } = committing(() => {
      tries += 1;
      return Promise.reject(new Error("no"));
    });
    await group.add(outcomeOf("bad"));
    expect(tries).toBe(2);
    expect(runtime.woken).toEqual([]);
  });
});
