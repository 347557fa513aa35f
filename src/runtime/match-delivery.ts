/** Which edge of a plan a delivery is for, and what one that brings bad news says. */
import type { Delivery } from "../engine/delivery.ts";
import type { Edge } from "../engine/edge.ts";
import type { Failure } from "../engine/failure.ts";

/** What is sent to a name, not to the key of the step that waits. */
export const NAMED: ReadonlySet<Delivery["kind"]> = new Set(["signal", "mutation"]);

/** True when the edge waits for this delivery. */
export function isFor({ kind, name }: Delivery, edge: Edge): boolean {
  if (edge.kind === "step") {
    return edge.key === name && (kind === "person" ? edge.unknown : kind === "branch" && !edge.unknown);
  }
  if (edge.kind !== "wait" || edge.on !== kind) return false;
  return NAMED.has(kind) ? edge.name === name : edge.key === name;
}

const ENDS: Readonly<Record<string, string>> = { failed: "failed", cancelled: "was cancelled", dead: "died" };

/** What the step that waits fails with. */
export function failureOf({ kind, outcome, sender, failure }: Delivery): Failure {
  if (kind !== "child" && failure !== null) return failure;
  const runId = sender ?? "";
  const why = failure === null ? "" : `: ${failure.message}`;
  return {
    code: "child_failed",
    name: "ChildFailed",
    message: `The child run ${runId} ${ENDS[outcome] ?? outcome}${why}`,
    child: { runId, status: outcome },
    ...(failure === null ? {} : { cause: failure }),
  };
}
