/** When the sweeps will have something to do: of whatever one of them looks after, the earliest. */
import type { Retention } from "../../../src/engine/ports.ts";
import { isUnread } from "./channels.ts";
import { allRuns, type EventRow, type State, type StoredRun, type Tables } from "./tables.ts";
import { isMoving } from "./values.ts";

/** In so many ms; null when there is nothing. */
export function nextDue(
  { tables, now }: State,
  sinks: readonly string[],
  { messageRetentionMs, eventRetentionMs }: Retention,
): number | null {
  let first = Number.POSITIVE_INFINITY;
  const times = [
    ...[...allRuns(tables)].flatMap(timesOfRun),
    ...[...tables.outbox.values()].flatMap((event) => timesOfEvent(event, sinks, eventRetentionMs)),
    ...publishedAt(tables).map((at) => at + messageRetentionMs),
  ];
  for (const at of times) first = Math.min(first, at ?? first);
  return first === Number.POSITIVE_INFINITY ? null : Math.max(0, first - now);
}

function timesOfRun({ row, branches }: StoredRun): (number | null)[] {
  const isGoingForward = isMoving(row.status) && row.phase === "forward";
  const ofBranches = [...branches.values()].flatMap(({ wakeAt, leaseExpiresAt }) => [
    leaseExpiresAt,
    isGoingForward ? wakeAt : null,
  ]);
  return [row.wakeAt, row.leaseExpiresAt, ...ofBranches];
}

function timesOfEvent(
  { emittedAt, routedAt, sends }: EventRow,
  sinks: readonly string[],
  retentionMs: number,
): (number | null)[] {
  if (routedAt === null) return [emittedAt];
  const isSent = [...sends.values()].every(({ status }) => status === "sent");
  return [...sinks.map((sink) => sends.get(sink)?.nextAt ?? null), isSent ? emittedAt + retentionMs : null];
}

function publishedAt({ tenants }: Tables): number[] {
  return [...tenants.values()].flatMap((tenant) =>
    [...tenant.channels.values()].flatMap(({ messages }) =>
      [...messages.values()]
        .filter((message) => !isUnread(tenant, message))
        .map((message) => message.publishedAt),
    ),
  );
}
