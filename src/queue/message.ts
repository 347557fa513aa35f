import type { SweepPart } from "../engine/ports.ts";
import type { TurnRef } from "../runtime/dispatch-turns.ts";

/**
 * The wake-up on the wire. It carries ids only: everything else is read from the row, so a message that is
 * forged, stale or doubled can at most ask for a turn that is not due. `delayMs` is how long after its sending it is meant to
 * come: the queue counts its delays in whole seconds, and the consumer waits for the rest.
 */
export type WakeUpMessage =
  | {
      readonly v: 1;
      readonly tenant: string;
      readonly runId: string;
      /** The key of the branch, where it is one that is due. */
      readonly branch?: string;
      readonly delayMs?: number;
    }
  /** `only` leaves out what is none of the asker's business. */
  | { readonly v: 1; readonly sweep: true; readonly only?: SweepPart };

export type WakeUp =
  | { readonly kind: "run"; readonly ref: TurnRef; readonly delayMs: number }
  | { readonly kind: "sweep"; readonly only: SweepPart | undefined };

/** The vendor's limit. */
export const LONGEST_DELAY_MS = 86_400_000;

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** Null for anything that is not a wake-up of this version: garbage is acknowledged, never tried again. */
export function readMessage(body: unknown): WakeUp | null {
  if (typeof body !== "object" || body === null) return null;
  const { v, tenant, runId, branch, delayMs = 0, sweep, only } = body as Record<string, unknown>;
  if (v !== 1) return null;
  if (sweep === true) return { kind: "sweep", only: only === "events" || only === "bulk" ? only : undefined };
  if (typeof tenant !== "string" || !isStorable(tenant)) return null;
  if (typeof runId !== "string" || !ULID.test(runId)) return null;
  if (branch !== undefined && (typeof branch !== "string" || !isStorable(branch))) return null;
  if (typeof delayMs !== "number" || !(delayMs >= 0 && delayMs <= LONGEST_DELAY_MS)) return null;
  return { kind: "run", ref: { tenant, runId, branch }, delayMs };
}

/** What Postgres refuses, it would refuse with the whole batch. */
function isStorable(text: string): boolean {
  return text !== "" && !text.includes("\u0000") && text.isWellFormed();
}
