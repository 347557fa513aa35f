/** Runs with branches, waits and children, as a turn leaves them. */
import type { BranchOutcome } from "../../../src/engine/branch.ts";
import { encode } from "../../../src/engine/codec.ts";
import type { Decision, NewBranch, NewWait } from "../../../src/engine/decide.ts";
import type { BranchRef, ClaimedBranch, ClaimedRun, NewRun, RunRef } from "../../../src/engine/run.ts";
import type { Bed } from "./bed.ts";
import { decision, LEASE, newRun, only, ref } from "./builders.ts";

/** A step that runs apart, due at once. */
export function newBranch(key: string, fields: Partial<NewBranch> = {}): NewBranch {
  return { key, askedAt: 0, attempt: 1, spent: 0, due: null, ...fields };
}

export function newWait(kind: NewWait["kind"], name: string, fields: Partial<NewWait> = {}): NewWait {
  return { key: name, kind, name, due: null, ...fields };
}

/** Parked until something is delivered. */
export function parks(run: ClaimedRun, fields: Partial<Decision> = {}): Decision {
  return decision(run, { status: "waiting", wakeInMs: null, ...fields });
}

/** A run that waits for these branches. */
export async function forked(
  bed: Bed,
  keys: readonly string[],
  more: Partial<Decision> = {},
  fields: Partial<NewRun> = {},
): Promise<ClaimedRun> {
  const run = await bed.startAndClaim(fields);
  await bed.store.commitTurns([parks(run, { branches: keys.map((key) => newBranch(key)), ...more })]);
  return run;
}

export function branchOf(run: RunRef, key: string): BranchRef {
  return { ...ref(run), key };
}

/** The claim of a branch that can be claimed. */
export async function claimBranch(bed: Bed, run: RunRef, key: string): Promise<ClaimedBranch> {
  return only((await bed.store.claimBranches([branchOf(run, key)], LEASE)).claimed);
}

export function outcome(branch: ClaimedBranch, fields: Partial<BranchOutcome> = {}): BranchOutcome {
  const { tenant, runId, key, branchTurn, attempt } = branch;
  const given = fields.outcome ?? "completed";
  const output = given === "completed" ? encode(key, "x") : null;
  const nothing = { failure: null, retryInMs: null, tookMs: 5 };
  return { tenant, runId, key, branchTurn, attempt, outcome: given, output, ...nothing, ...fields };
}

/** A run that waits for a child under the key "child", and the child. */
export async function withChild(
  bed: Bed,
  given?: ClaimedRun,
  fields: Partial<NewRun> = {},
): Promise<{ parent: ClaimedRun; child: RunRef }> {
  const parent = given ?? (await bed.startAndClaim());
  const [child] = await withChildren(bed, parent, [newRun({ ...fields })]);
  if (child === undefined) throw new Error("no child");
  return { parent, child };
}

/** `parent` waits for all of them, each under its own id; one alone under the key "child". */
export async function withChildren(
  bed: Bed,
  parent: ClaimedRun,
  children: readonly NewRun[],
): Promise<RunRef[]> {
  const keyOf = (child: NewRun) => (children.length === 1 ? "child" : child.id);
  await bed.store.commitTurns([
    parks(parent, {
      waits: children.map((child) => newWait("child", child.id, { key: keyOf(child) })),
      effects: children.map((child) => ({
        kind: "start",
        run: { ...child, parent: { runId: parent.runId, key: keyOf(child) } },
      })),
    }),
  ]);
  return children.map(({ id }) => ({ tenant: parent.tenant, runId: id }));
}

/** What the run was brought and has not taken: "kind name outcome", in the order of arrival. */
export async function inboxOf(bed: Bed, run: RunRef): Promise<string[]> {
  const rows = await bed.rowsOf("deliveries", run);
  return rows
    .filter((row) => row.consumed_by === null)
    .map(({ kind, name, outcome }) => `${kind} ${name} ${outcome}`);
}

export function signal({ runId }: RunRef, name: string, id: string | null = null, payload: unknown = 1) {
  return { runId, name, id, payload: encode(payload, "x") };
}
