/** What the end of a run means for others, whatever ends it. */
import { isFinal } from "../../../../src/engine/run.ts";
import { type Arrivals, arrive, bump, insertDelivery } from "../deliver.ts";
import { leaveChannel, leaveGroup, removeWait } from "../runs.ts";
import { type State, type StoredRun, type TenantTables, tenantOf } from "../tables.ts";
import { dueNow } from "../values.ts";
import { NOBODY, type Part } from "./held.ts";

export const tellParents: Part = {
  concerns: ({ status, parent, successor }) => isFinal(status) && parent?.key != null && successor === null,
  write: (state, { run }) => tellParentsOf(state, [run]).map(dueNow),
};

/** Tells the parents of runs that have ended, once: only while their wait for this very child stands. */
export function tellParentsOf(state: State, ended: readonly StoredRun[]): StoredRun[] {
  const arrivals: Arrivals = new Map();
  for (const { row } of ended) {
    if (row.finishedAt === null || row.continuedTo !== null || row.parentKey === null) continue;
    const parent = tenantOf(state, row.tenant).runs.get(row.parentId ?? "");
    const wait = parent?.waits.get(row.parentKey);
    if (parent === undefined || wait?.wait.kind !== "child" || wait.name !== row.id) continue;
    const isNew = insertDelivery(state, parent, {
      kind: "child",
      name: row.parentKey,
      outcome: row.status as "completed" | "failed" | "cancelled" | "dead",
      payload: row.output,
      failure: row.failure,
      sender: row.id,
    });
    if (isNew) arrive(arrivals, parent);
  }
  return bump(state, arrivals);
}

export const clearUp: Part = {
  concerns: ({ status }) => isFinal(status),
  write(state, { run, tenant }) {
    leaveNothingBehind(state, tenant, run);
    return NOBODY;
  },
};

/**
 * A failed run may be revived and keeps what it waits for; a dead one keeps its branches too. Messages that were
 * brought to it and not read are somebody else's again.
 */
export function leaveNothingBehind({ tables }: State, tenant: TenantTables, run: StoredRun): void {
  const { status } = run.row;
  if (status !== "dead") run.branches.clear();
  if (status !== "completed" && status !== "cancelled") return;
  for (const key of run.waits.keys()) removeWait(tenant, run, key);
  run.inbox.clear();
  run.taken.clear();
  run.senders.clear();
  for (const message of run.brought.values()) message.claimedBy = null;
  run.brought.clear();
  for (const channel of run.channels) leaveChannel(tenant, run, channel);
  for (const group of run.groups) leaveGroup(tenant, run, group);
  for (const { digest } of run.hooks.values()) tables.hooks.delete(digest);
  run.hooks.clear();
}
