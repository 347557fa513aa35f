/** Small questions about values that several verbs ask. */
import type { Encoded, Json } from "../../../src/engine/codec.ts";
import type { When } from "../../../src/engine/edge.ts";
import type { RunRef, RunStatus } from "../../../src/engine/run.ts";
import type { RunRow, StoredRun } from "./tables.ts";

/** As far ahead as the queue can delay a wake-up. */
const REACH_MS = 86_400_000;

/** A table refuses what a verb would write; nothing of the verb is written. */
export class ConstraintViolated extends Error {
  override readonly name = "ConstraintViolated";
}

/** When a wake-up for this time is noted as sent: now, unless the queue cannot delay it for so long. */
export function sentAt(wakeAt: number | null, now: number): number | null {
  return wakeAt !== null && wakeAt < now + REACH_MS ? now : null;
}

/** How long it is until then; 0 when that has passed. */
export function spanUntil(at: number, now: number): number {
  return Math.max(0, at - now);
}

/** The instant so long from now, in whole milliseconds and never before the span is over. */
export function after(now: number, spanMs: number): number {
  return now + Math.ceil(spanMs);
}

export function instantOf(when: When, now: number): number {
  return "at" in when ? when.at : after(now, when.inMs);
}

/** The earlier of two times that there may be. */
export function earlier(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}

/** How long a lost turn is spaced out, by how many were lost before it: 1 s, 2 s, 4 s … 60 s, spread by chance. */
export function backoffMs(lostBefore: number, random: () => number): number {
  return Math.min(60, 2 ** lostBefore) * (0.75 + random() / 4) * 1_000;
}

/** Nobody has ended the run. */
export function isLive(status: RunStatus): boolean {
  return status === "ready" || status === "running" || status === "waiting" || status === "paused";
}

/** What arrives is kept: a dead run may be revived. */
export function isOpen(status: RunStatus): boolean {
  return isLive(status) || status === "dead";
}

/** Nobody holds it, and no person has ended or paused it. */
export function isMoving(status: RunStatus): boolean {
  return status === "ready" || status === "running" || status === "waiting";
}

export function refOf({ row }: StoredRun): RunRef {
  return { tenant: row.tenant, runId: row.id };
}

/** The wake-up of a run that is due now. */
export function dueNow({ row }: StoredRun) {
  return { tenant: row.tenant, runId: row.id, wakeInMs: 0 };
}

export function isDue({ wakeAt }: Pick<RunRow, "wakeAt">, now: number): boolean {
  return wakeAt !== null && wakeAt <= now;
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** In the order in which Postgres would lock them. */
export function byRef(a: StoredRun, b: StoredRun): number {
  return compareText(a.row.tenant, b.row.tenant) || compareText(a.row.id, b.row.id);
}

export function isSameValue(a: Encoded, b: Encoded): boolean {
  return isSameJson(a.json, b.json) && isSameJson(a.meta, b.meta);
}

/** As jsonb compares: the order of keys says nothing. */
export function isSameJson(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Object.hasOwn(b, name) && isSameJson(fieldOf(a, name), fieldOf(b, name)));
}

function fieldOf(value: object, name: string): Json {
  return (value as Record<string, Json>)[name] ?? null;
}
