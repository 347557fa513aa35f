/** What comes from outside: signals, also to groups and through hooks, a person's word, steps for a graph. */
import type { Encoded, Json } from "../../../src/engine/codec.ts";
import { hookSignal } from "../../../src/engine/plan/steps.ts";
import type {
  Appended,
  DueRun,
  GroupShare,
  Mutation,
  NewMutation,
  NewSignal,
  ReceivedHook,
  SentSignal,
  Word,
} from "../../../src/engine/ports.ts";
import type { RunRef } from "../../../src/engine/run.ts";
import { type Arrivals, arrive, bump, deliverOne, insertDelivery, signalOf } from "./deliver.ts";
import { findRun, type State, type StoredRun } from "./tables.ts";
import { ConstraintViolated, compareText, dueNow, isOpen, isSameJson } from "./values.ts";

export function deliverSignals(
  state: State,
  tenant: string,
  signals: readonly NewSignal[],
): { sent: SentSignal[]; due: DueRun[] } {
  const arrivals: Arrivals = new Map();
  const sent = signals.map(({ runId, name, payload, id }): SentSignal => {
    const run = findRun(state, tenant, runId);
    if (run === undefined) return { runId, result: "not_found" };
    const { status } = run.row;
    if (!isOpen(status)) return { runId, result: status };
    if (insertDelivery(state, run, signalOf(name, payload, id))) arrive(arrivals, run);
    return { runId, result: "accepted" };
  });
  return { sent, due: bump(state, arrivals).map(dueNow) };
}

export function signalGroup(
  state: State,
  tenant: string,
  group: string,
  { name, payload, id }: Omit<NewSignal, "runId">,
  after: string,
  limit: number,
): GroupShare {
  const members = [...(state.tables.tenants.get(tenant)?.groups.get(group)?.keys() ?? [])];
  const share = members
    .filter((member) => member > after)
    .sort(compareText)
    .slice(0, limit);
  const arrivals: Arrivals = new Map();
  let signalled = 0;
  for (const member of share) {
    const run = findRun(state, tenant, member);
    if (run === undefined || !isOpen(run.row.status)) continue;
    signalled += 1;
    if (insertDelivery(state, run, signalOf(name, payload, id))) arrive(arrivals, run);
  }
  const due = bump(state, arrivals).map(dueNow);
  return { signalled, due, next: share.length < limit ? null : (share.at(-1) ?? null) };
}

export function receiveHook(state: State, digest: string, payload: Encoded): ReceivedHook {
  const hook = state.tables.hooks.get(digest);
  const run = hook === undefined ? undefined : findRun(state, hook.tenant, hook.runId);
  if (hook === undefined || run === undefined || !isOpen(run.row.status))
    return { result: "not_found", due: [] };
  if (hook.usedAt !== null) return { result: "used", due: [] };
  if (hook.expiresAt <= state.now) return { result: "expired", due: [] };
  hook.usedAt = state.now;
  const { isDue } = deliverOne(state, run, signalOf(hookSignal(hook.key), payload, null));
  return { result: "received", due: isDue ? [dueNow(run)] : [] };
}

/** What a person knows of an at-most-once step, once: the first word counts. */
export function deliverWord(
  state: State,
  { tenant, runId }: RunRef,
  key: string,
  word: Word,
): { found: boolean; due: DueRun[] } {
  const run = findRun(state, tenant, runId);
  const asks = run?.waits.get(key)?.wait.kind === "person" && isOpen(run.row.status);
  if (run === undefined || !asks) return { found: false, due: [] };
  const payload = word.outcome === "completed" ? word.output : null;
  const told = { kind: "person", name: key, outcome: word.outcome, payload, sender: "word" } as const;
  const { isNew, isDue } = deliverOne(state, run, told);
  return { found: isNew, due: isDue ? [dueNow(run)] : [] };
}

export function appendSteps(state: State, { tenant, runId }: RunRef, mutation: NewMutation): Appended {
  const run = findRun(state, tenant, runId);
  if (run === undefined) return { result: "not_found", due: [] };
  const { status, phase } = run.row;
  // Checked against less than what was appended: perhaps by the same key, which is then no matter of gates.
  if (run.mutations.size !== mutation.known) return { result: "outdated", due: [] };
  if (phase !== "forward") return { result: "compensating", due: [] };
  if (!isOpen(status)) return { result: status, due: [] };
  if (isGateOpen(run, mutation.gate, state.now)) return { result: "gate_open", due: [] };
  const { key, name } = mutation;
  if (run.mutations.has(key)) throw new ConstraintViolated(`mutations_pkey: ${key}`);
  const request = mutation.request as Json;
  run.mutations.set(key, { request, requestedAt: state.now });
  const payload = { json: request, meta: null };
  const told = { kind: "mutation", name, outcome: "completed", payload, sender: key } as const;
  return { result: "appended", due: deliverOne(state, run, told).isDue ? [dueNow(run)] : [] };
}

/** Once its end is journaled, from when its signal has arrived, and from when its time is over. */
function isGateOpen({ journal, inbox, waits }: StoredRun, gate: string, now: number): boolean {
  const dueAt = waits.get(gate)?.wait.dueAt ?? null;
  if (dueAt !== null && dueAt <= now) return true;
  for (const { delivery } of inbox.values()) {
    if (delivery.kind === "signal" && delivery.name === gate) return true;
  }
  return journal.some(
    ({ entry: { key, outcome } }) =>
      key === gate && (outcome === "completed" || outcome === "timed_out" || outcome === "failed"),
  );
}

/** A run that was forked has in its journal, and only there, what was appended to the run that it was made from. */
export function mutations(state: State, { tenant, runId }: RunRef): Mutation[] {
  const run = findRun(state, tenant, runId);
  if (run === undefined) return [];
  const own = Array.from(run.mutations, ([key, { request }]): Mutation => ({ key, request }));
  const taken = run.journal.flatMap(({ entry: { kind, outcome, output } }): Mutation[] => {
    if (kind !== "mutation" || outcome !== "completed") return [];
    const request = output?.json ?? null;
    const isOwn = own.some((one) => isSameJson(one.request as Json, request));
    return isOwn ? [] : [{ key: null, request }];
  });
  return [...own, ...taken];
}
