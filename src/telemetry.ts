/**
 * The only file that logs. Wraps the store and the queue once, so that every verb is timed and every failure
 * is told, and no other file knows of it. Lines are JSON, for Workers Logs; they carry names, ids and codes,
 * never payloads or secrets.
 */

import type { Bulks } from "./engine/bulk.ts";
import type { NondeterministicCall } from "./engine/errors.ts";
import { toFailure } from "./engine/failure.ts";
import type { History } from "./engine/history.ts";
import type { Overview } from "./engine/overview.ts";
import type { Agenda, Store, WakeUps } from "./engine/ports.ts";
import type { Reads } from "./engine/reads.ts";
import type { Timings } from "./engine/timings.ts";

/** A verb that takes longer is told about. */
const SLOW_MS = 1_000;

/** The same object, each verb timed under `name`. */
export function observed<T extends Store | Reads | Overview | History | Bulks | Timings | WakeUps | Agenda>(
  name: string,
  target: T,
): T {
  const verbs = Object.entries(target).map(([verb, call]) => [verb, timed(`${name}.${verb}`, call)]);
  return Object.fromEntries(verbs) as T;
}

type Verb = (...args: unknown[]) => Promise<unknown>;

function timed(name: string, call: Verb): Verb {
  return async (...args) => {
    const startedAt = Date.now();
    try {
      return await call(...args);
    } finally {
      const ms = Date.now() - startedAt;
      if (ms > SLOW_MS) write("warn", { event: "slow", verb: name, ms });
    }
  };
}

/** Tells the operator about something that went wrong and was survived. */
export function report(what: string, error: unknown): void {
  const { code, name, message, stack, cause } = toFailure(error);
  write("error", { event: "survived", what, code, name, message, stack, cause: cause?.message });
}

/** Tells the author of a workflow what its code does outside a step. */
export function warnOfCall(call: NondeterministicCall): void {
  const { code, message, workflow, version, remedy } = call;
  const { stack = "" } = toFailure(call);
  const [, ...at] = stack.split("\n").map((line) => line.trim());
  write("warn", { event: code, message, workflow, version, call: call.call, remedy, at });
}

function write(level: "warn" | "error", line: Record<string, unknown>): void {
  console[level](JSON.stringify(line));
}
