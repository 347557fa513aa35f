import type { Decision } from "../../../../src/engine/decide.ts";
import type { DueRun } from "../../../../src/engine/ports.ts";
import type { NewRun } from "../../../../src/engine/run.ts";
import { insertRun, newRow, storedRun } from "../runs.ts";
import type { RunRow, State, StoredRun } from "../tables.ts";
import { compareText, spanUntil } from "../values.ts";
import { type Held, NOBODY, type Part } from "./held.ts";

/** Runs that a turn starts: children, detached runs, and the one that goes on in its place. */
export function childrenOf({ effects, successor }: Decision): NewRun[] {
  const born: NewRun[] = [];
  for (const effect of effects) if (effect.kind === "start") born.push(effect.run);
  if (successor !== null) born.push(successor);
  return born;
}

export const startChildren: Part = {
  concerns: ({ effects, successor }) => successor !== null || effects.some(({ kind }) => kind === "start"),
  write: (state, held) =>
    childrenOf(held.decision)
      .sort((a, b) => compareText(a.id, b.id))
      .flatMap((child) => startChild(state, held, child)),
};

/** Of a run that a person holds they are held, too, but for the detached ones. */
function startChild({ now }: State, { run, tenant }: Held, child: NewRun): DueRun[] {
  const { parent, continuedFrom } = child;
  const isHeld = (parent?.key ?? continuedFrom) !== null && run.row.pausedAt !== null;
  const held: Partial<RunRow> = isHeld
    ? { status: "paused", wakeAt: null, wakeUpSentAt: null, pausedAt: run.row.pausedAt }
    : {};
  const row = newRow(tenant.name, child, now, {
    idempotencyKey: null,
    parentId: parent?.runId ?? null,
    parentKey: parent?.key ?? null,
    continuedFrom,
    ...held,
  });
  insertRun(tenant, storedRun(row));
  if (row.wakeAt === null) return [];
  return [{ tenant: row.tenant, runId: row.id, wakeInMs: spanUntil(row.wakeAt, now) }];
}

/** A run that goes on as another takes with it what has arrived, what it listens to, and whoever waits for it. */
export const moveOn: Part = {
  concerns: ({ successor }) => successor !== null,
  write(_, held) {
    const next = held.tenant.runs.get(held.decision.successor?.id ?? "");
    if (next !== undefined) move(held, next);
    return NOBODY;
  },
};

function move({ run, tenant }: Held, next: StoredRun): void {
  const { row } = run;
  row.continuedTo = next.row.id;
  row.pausedAt = null;
  const parent = row.parentId === null ? undefined : tenant.runs.get(row.parentId);
  const awaited = row.parentKey === null ? undefined : parent?.waits.get(row.parentKey);
  if (awaited?.wait.kind === "child" && awaited.name === row.id) awaited.name = next.row.id;
  for (const channel of run.channels) moveSubscription(tenant, run, next, channel);
  moveSignals(run, next);
  next.row.deliveries = 1;
  for (const group of run.groups) {
    const members = tenant.groups.get(group);
    members?.set(next.row.id, members.get(row.id) ?? 0);
    members?.delete(row.id);
    next.groups.add(group);
  }
  run.groups.clear();
}

function moveSignals(run: StoredRun, next: StoredRun): void {
  for (const [id, arrived] of run.inbox) {
    if (arrived.delivery.kind !== "signal") continue;
    run.inbox.delete(id);
    next.inbox.set(id, arrived);
  }
  for (const [id, taken] of run.taken) next.taken.set(id, taken);
  run.taken.clear();
  for (const sender of run.senders) {
    if (!sender.startsWith('["signal"')) continue;
    run.senders.delete(sender);
    next.senders.add(sender);
  }
}

/** A broadcast that was brought and not read is still to come, and what was sent to the one is sent to the other. */
function moveSubscription({ channels }: Held["tenant"], run: StoredRun, next: StoredRun, name: string): void {
  const channel = channels.get(name);
  const subscription = channel?.subscriptions.get(run.row.id);
  if (channel === undefined || subscription === undefined) return;
  for (const { messageId } of run.inbox.values()) {
    if (messageId === null || !channel.messages.has(messageId)) continue;
    subscription.cursor = Math.min(subscription.cursor, messageId - 1);
  }
  channel.subscriptions.delete(run.row.id);
  channel.subscriptions.set(next.row.id, subscription);
  run.channels.delete(name);
  next.channels.add(name);
  for (const message of channel.messages.values()) {
    const isFree = message.claimedBy === null || message.claimedBy === run.row.id;
    if (message.toRun === run.row.id && isFree) message.toRun = next.row.id;
  }
}
