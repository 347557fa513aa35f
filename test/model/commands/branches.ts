/** Steps that run apart, from their claim to their outcome. */
import type { BranchOutcome } from "../../../src/engine/branch.ts";
import type { ClaimedBranch } from "../../../src/engine/run.ts";
import { boom, LEASE } from "../../storage/support/builders.ts";
import { type Act, at, byRef, type Choices } from "./choices.ts";

export function claimBranches(choices: Choices): Act {
  const refs = Array.from({ length: 6 }, () => choices.branch());
  return async ({ under, branches }) => {
    const batch = await under.store.claimBranches(refs, LEASE);
    const alone = [];
    for (const suspect of batch.suspects) alone.push(await under.store.claimSuspectBranch(suspect, LEASE));
    const claimed = [batch, ...alone].flatMap((each) => each.claimed);
    branches.push(...claimed.toSorted(byRef));
    return [batch, alone];
  };
}

const OUTCOMES = ["completed", "failed", "retrying", "retrying", "dead", "delivered"] as const;

export function commitBranch(choices: Choices): Act {
  const { chance, side } = choices;
  if (side.branches.length === 0) return claimBranches(choices);
  const place = choices.placeOfBranch();
  const outcome = chance.pick(OUTCOMES);
  return ({ under, branches }) => under.store.commitBranches([outcomeOf(at(branches, place), outcome)]);
}

function outcomeOf(branch: ClaimedBranch, outcome: BranchOutcome["outcome"]): BranchOutcome {
  const { tenant, runId, key, branchTurn, attempt } = branch;
  return {
    ...{ tenant, runId, key, branchTurn, attempt, tookMs: 5, outcome },
    output: outcome === "completed" ? { json: 1, meta: null } : null,
    failure: outcome === "completed" ? null : boom,
    retryInMs: outcome === "retrying" ? 1_000 : null,
  };
}

export function holdBranch(choices: Choices): Act {
  const { chance, side } = choices;
  if (side.branches.length === 0) return claimBranches(choices);
  const place = choices.placeOfBranch();
  return chance.pick<Act>([
    ({ under, branches }) =>
      under.store.renewBranch(at(branches, place), at(branches, place).branchTurn, LEASE),
    ({ under, branches }) => under.store.startBranch(at(branches, place), at(branches, place).branchTurn),
    ({ under, branches }) => under.store.startBranch(at(branches, place), at(branches, place).branchTurn),
  ]);
}

/** The body writes nothing of its own: the store in memory has no tables for it. Some of them throw. */
export function transact(choices: Choices): Act {
  const { chance, side } = choices;
  if (side.branches.length === 0) return claimBranches(choices);
  const place = choices.placeOfBranch();
  const isolation = chance.pick(["read committed", "repeatable read", "serializable"] as const);
  const id = `event ${chance.roll(30)}`;
  const output = chance.pick([null, chance.value()]);
  const isThrown = chance.isRare(5);
  return ({ under, branches }) =>
    under.transactions.run(at(branches, place), isolation, new AbortController().signal, async () => {
      if (isThrown) throw Object.assign(new Error("the body threw"), { code: "body" });
      return { output, events: [{ id, type: "order.a", subject: null, data: output }] };
    });
}
