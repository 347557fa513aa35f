/**
 * Requests that append steps to the graph of a live run, and their canonical form, by which two of them are compared.
 * Pure.
 */
import { encode, type Json } from "./codec.ts";
import { type Duration, durationMs } from "./duration.ts";
import { type Dependency, toDependency } from "./graph/shape.ts";

/** A step as a caller appends it; null and absent are the same. */
export interface AppendedStep {
  readonly name: string;
  /** Which of the graph's handlers does it. */
  readonly handler: string;
  readonly payload?: unknown;
  /** Without a release, however the other step ends. */
  readonly after?: readonly (string | AppendedDependency)[] | null | undefined;
  readonly priority?: number | null | undefined;
  readonly maxAttempts?: number | null | undefined;
  readonly timeout?: Duration | null | undefined;
  readonly stage?: string | null | undefined;
  /** The run's own, which is also meant without it. */
  readonly tenant?: string | null | undefined;
}

interface AppendedDependency {
  readonly step: string;
  readonly release?: Dependency["release"] | null | undefined;
}

export interface AppendRequest {
  /** A gate of the graph that must still be closed. */
  readonly gate: string;
  readonly steps: readonly AppendedStep[];
}

/** The one form of all requests that mean the same: sorted by name, everything said. */
export interface CanonicalRequest {
  /** Null only in what was stored before requests named their gate. */
  readonly gate: string | null;
  readonly steps: readonly CanonicalStep[];
}

export interface CanonicalStep {
  readonly name: string;
  readonly handler: string;
  readonly tenant: string;
  readonly payload: Json;
  readonly priority: number | null;
  readonly maxAttempts: number | null;
  /** In milliseconds. */
  readonly timeout: number | null;
  readonly stage: string;
  readonly after: readonly Dependency[];
}

/** The stage of a step that names none. */
export const QUEUED = "queued";

/** Throws `UnstorableValue`, `InvalidDuration`. */
export function toCanonical(request: AppendRequest, tenant: string): CanonicalRequest {
  return {
    gate: request.gate ?? null,
    steps: request.steps.map((step) => toCanonicalStep(step, tenant)).sort(byName),
  };
}

/** A request as it was stored, by this version or an older one: unsorted, without tenant, stage or gate. */
export function readStored(stored: unknown, tenant: string): CanonicalRequest {
  return toCanonical(stored as AppendRequest, tenant);
}

/** True when the stored request is the same as this one. One that names no gate fits every gate. */
export function isSameRequest(stored: CanonicalRequest, request: CanonicalRequest): boolean {
  const fits = stored.gate === null || stored.gate === request.gate;
  return fits && textOf(stored.steps) === textOf(request.steps);
}

function toCanonicalStep(step: AppendedStep, tenant: string): CanonicalStep {
  const { name, handler, payload, after, priority, maxAttempts, timeout, stage } = step;
  return {
    name,
    handler,
    tenant: step.tenant ?? tenant,
    // Through JSON text: it knows no -0, which would need a codec of its own.
    payload: encode(JSON.parse(JSON.stringify(payload ?? null)), `The payload of step "${name}"`).json,
    priority: priority ?? null,
    maxAttempts: maxAttempts ?? null,
    timeout: timeout == null ? null : durationMs(timeout),
    stage: stage ?? QUEUED,
    after: (after ?? []).map((each) => toAppendedDependency(each)).sort(byStep),
  };
}

function toAppendedDependency(given: string | AppendedDependency): Dependency {
  if (typeof given === "string") return toDependency(given, "onTerminal");
  return { step: given.step, release: given.release ?? "onTerminal" };
}

function textOf(steps: readonly CanonicalStep[]): string {
  return JSON.stringify(
    steps.map((step) => [
      [step.name, step.handler, step.tenant, step.priority, step.maxAttempts, step.timeout, step.stage],
      step.payload,
      step.after.map(({ step: other, release }) => [other, release]),
    ]),
  );
}

/** By code units, so that every deployment sorts alike. */
function byName(a: CanonicalStep, b: CanonicalStep): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function byStep(a: Dependency, b: Dependency): number {
  if (a.step !== b.step) return a.step < b.step ? -1 : 1;
  return a.release < b.release ? -1 : a.release > b.release ? 1 : 0;
}
