/** What runs tell the outside, on its way to the sinks: of one run to one sink, in the order in which it was told. */
import type { Json } from "../../../src/engine/codec.ts";
import type {
  ClaimedSend,
  CloudEvent,
  EventFilter,
  EventLine,
  Route,
  SendOutcome,
} from "../../../src/engine/event.ts";
import { NOBODY, type Part } from "./commit/held.ts";
import type { EventRow, SendRow, State, StoredRun, TenantTables } from "./tables.ts";
import { after } from "./values.ts";

export const addEvents: Part = {
  concerns: ({ effects }) => effects.length > 0,
  write(state, { run, tenant, decision }) {
    for (const effect of decision.effects) if (effect.kind === "emit") emit(state, tenant, run, effect.event);
    return NOBODY;
  },
};

/** The same id again is there already. */
export function emit(state: State, tenant: TenantTables, { row }: StoredRun, event: CloudEvent): void {
  if (tenant.events.has(event.id)) return;
  state.tables.lastEventSeq += 1;
  const stored: EventRow = {
    tenant: tenant.name,
    id: event.id,
    seq: state.tables.lastEventSeq,
    runId: row.id,
    workflow: row.workflow,
    type: event.type,
    subject: event.subject,
    data: event.data,
    emittedAt: state.now,
    routedAt: null,
    sends: new Map(),
  };
  tenant.events.set(stored.id, stored);
  state.tables.outbox.set(stored.seq, stored);
}

export function routeEvents({ tables, now }: State, routes: readonly Route[], limit: number): number {
  let routed = 0;
  for (const event of tables.outbox.values()) {
    if (event.routedAt !== null) continue;
    if (routed === limit) break;
    routed += 1;
    event.routedAt = now;
    for (const { sink, types } of routes) {
      if (!types.some((type) => isWanted(event.type, type))) continue;
      event.sends.set(sink, { status: "pending", attempts: 0, nextAt: now, lastError: null, sentAt: null });
    }
  }
  return routed;
}

function isWanted(type: string, wanted: string): boolean {
  return wanted.endsWith("*") ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
}

/** Of each run only the first that is not sent or dead. */
export function claimSends(
  { tables, now }: State,
  sink: string,
  limit: number,
  leaseMs: number,
): ClaimedSend[] {
  const busy = new Set<string>();
  const due: { readonly event: EventRow; readonly send: SendRow; readonly nextAt: number }[] = [];
  for (const event of tables.outbox.values()) {
    const send = event.sends.get(sink);
    if (send?.status !== "pending" || send.nextAt === null) continue;
    const run = JSON.stringify([event.tenant, event.runId]);
    if (!busy.has(run) && send.nextAt <= now) due.push({ event, send, nextAt: send.nextAt });
    busy.add(run);
  }
  const taken = due.sort((a, b) => a.nextAt - b.nextAt || a.event.seq - b.event.seq).slice(0, limit);
  taken.sort((a, b) => a.event.seq - b.event.seq);
  return taken.map(({ event, send }) => {
    send.attempts += 1;
    send.nextAt = now + leaseMs;
    return toClaimedSend(event, sink, send.attempts);
  });
}

function toClaimedSend(row: EventRow, sink: string, attempt: number): ClaimedSend {
  const { tenant, runId, seq, id, workflow, type, subject, emittedAt } = row;
  const data: Json | undefined = row.data?.json;
  return {
    tenant,
    runId,
    sink,
    seq,
    attempt,
    event: { tenant, runId, id, workflow, type, subject, data, emittedAt },
  };
}

/** What comes after an event that is tried again waits as long: nobody need look at it before. */
export function settleSends({ tables, now }: State, outcomes: readonly SendOutcome[]): void {
  for (const { seq, sink, attempt, status, retryInMs, error } of outcomes) {
    const event = tables.outbox.get(seq);
    const send = event?.sends.get(sink);
    if (event === undefined || send?.status !== "pending" || send.attempts !== attempt) continue;
    send.status = status;
    send.lastError = error;
    send.sentAt = status === "sent" ? now : null;
    send.nextAt = status === "pending" ? after(now, retryInMs ?? 0) : null;
    if (send.nextAt !== null) holdUpLater(tables.outbox.values(), event, sink, send.nextAt);
  }
}

function holdUpLater(events: Iterable<EventRow>, first: EventRow, sink: string, nextAt: number): void {
  for (const later of events) {
    const send = later.sends.get(sink);
    const follows = later.seq > first.seq && later.runId === first.runId && later.tenant === first.tenant;
    if (follows && send?.status === "pending" && (send.nextAt ?? 0) < nextAt) send.nextAt = nextAt;
  }
}

export function redeliverEvent(
  { tables, now }: State,
  tenant: string,
  id: string,
): "redelivered" | "not_dead" | "not_found" {
  const event = tables.tenants.get(tenant)?.events.get(id);
  if (event === undefined) return "not_found";
  const dead = [...event.sends.values()].filter(({ status }) => status === "dead");
  for (const send of dead)
    Object.assign(send, { status: "pending", attempts: 0, nextAt: now, lastError: null });
  return dead.length === 0 ? "not_dead" : "redelivered";
}

/** What is dead anywhere stays for a person to look at, and what waits for a sink stays for the sink. */
export function forgetEvents({ tables, now }: State, limit: number, olderThanMs: number): number {
  const old = [...tables.outbox.values()].filter(
    ({ emittedAt, routedAt, sends }) =>
      emittedAt <= now - olderThanMs &&
      routedAt !== null &&
      [...sends.values()].every(({ status }) => status === "sent"),
  );
  const gone = old.sort((a, b) => a.emittedAt - b.emittedAt).slice(0, limit);
  for (const { seq, tenant, id } of gone) {
    tables.outbox.delete(seq);
    tables.tenants.get(tenant)?.events.delete(id);
  }
  return gone.length;
}

/** Newest first. What is nowhere yet, because nobody has routed it, counts as pending. */
export function listEvents(
  { tables }: State,
  tenant: string,
  { run, status }: EventFilter,
  limit: number,
  before: number | null,
): EventLine[] {
  const matching = [...tables.outbox.values()].filter(
    (event) =>
      event.tenant === tenant &&
      (before === null || event.seq < before) &&
      (run === undefined || event.runId === run) &&
      (status === undefined ||
        (status === "pending" && event.routedAt === null) ||
        [...event.sends.values()].some((send) => send.status === status)),
  );
  return matching.reverse().slice(0, limit).map(toLine);
}

export function findEvent({ tables }: State, tenant: string, id: string): EventLine | null {
  const event = tables.tenants.get(tenant)?.events.get(id);
  return event === undefined ? null : toLine(event);
}

function toLine({ tenant, id, seq, runId, workflow, type, subject, emittedAt, sends }: EventRow): EventLine {
  const lines = Array.from(sends, ([sink, send]) => ({ sink, ...send }));
  lines.sort((a, b) => (a.sink < b.sink ? -1 : 1));
  return { tenant, id, seq, runId, workflow, type, subject, emittedAt, sends: lines };
}
