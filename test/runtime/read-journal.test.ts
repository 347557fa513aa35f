/** What a turn and a branch do when their journal was too large to come with the claim (N2, N3). */
import { expect, test } from "vitest";
import type { Entry } from "../../src/engine/journal.ts";
import type { JournalPart, Store } from "../../src/engine/ports.ts";
import type { Steps } from "../../src/engine/workflow.ts";
import { performBranch } from "../../src/runtime/perform-branch.ts";
import { claimedRun, entryOf, workflowOf } from "../engine/support.ts";
import { leased, runtimeOf, takeWhole } from "./support.ts";

const journal: Entry[] = ["a", "b", "c"].map((key, i) =>
  entryOf({ seq: i + 1, key, output: { json: key, meta: null } }),
);

/** A store that reads two entries a page and notes what is asked of it. */
function paged(entries: readonly Entry[] | null) {
  const asked: [JournalPart, number][] = [];
  const store: Partial<Store> = {
    readJournal: async (_, part, after) => {
      asked.push([part, after]);
      if (entries === null) return null;
      return { entries: entries.slice(after, after + 2), isLast: after + 2 >= entries.length };
    },
  };
  return { asked, store };
}

const chain = async (step: Steps) => {
  const done = [];
  for (const name of ["a", "b", "c", "d"]) done.push(await step.run(name, () => `new ${name}`));
  return done;
};

test("a turn reads its journal page by page, and replays all of it", async () => {
  const { asked, store } = paged(journal);
  const runtime = runtimeOf({ workflows: [workflowOf(chain)], store });
  const decision = await takeWhole(runtime, leased(runtime, { turn: 7, partial: true }));
  expect(asked).toEqual([
    [{ turn: 7 }, 0],
    [{ turn: 7 }, 2],
  ]);
  expect(decision).toMatchObject({
    status: "completed",
    entries: [{ seq: 4, key: "d" }],
    output: { json: ["a", "b", "c", "new d"] },
  });
});

test("a turn that finds its run moved on while it reads performs nothing and writes nothing (I2)", async () => {
  const { store } = paged(null);
  const body = (step: Steps) => step.run("a", () => expect.fail("performed"));
  const runtime = runtimeOf({ workflows: [workflowOf(body)], store });
  expect(await takeWhole(runtime, leased(runtime, { partial: true }))).toBeNull();
});

test("a branch reads the journal up to where its step was asked for", async () => {
  const { asked, store } = paged(journal.slice(0, 3));
  const fan = async (step: Steps) => {
    const seen = [
      await step.run("a", () => ""),
      await step.run("b", () => ""),
      await step.run("c", () => ""),
    ];
    await Promise.all([step.run("task", () => seen.join("")), step.run("other", () => expect.fail("other"))]);
  };
  const runtime = runtimeOf({ workflows: [workflowOf(fan)], store });
  const its = { key: "task", branchTurn: 1, attempt: 1, spent: 0, askedAt: 3 };
  const branch = { tenant: "default", runId: "run-1", ...its, run: claimedRun({ partial: true }) };
  const outcome = await performBranch(runtime, { branch, leaseUntil: runtime.clock.now() + 1_000 });
  expect(asked).toEqual([
    [{ upTo: 3 }, 0],
    [{ upTo: 3 }, 2],
  ]);
  expect(outcome).toMatchObject({ outcome: "completed", output: { json: "abc" } });
});
