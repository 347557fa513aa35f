import { encode } from "../engine/codec.ts";
import type { NewSignal } from "../engine/ports.ts";
import { InvalidSignalName, RunNotFound, WrongStatus } from "../engine/refusals.ts";
import type { Runtime } from "./runtime.ts";
import { wakeDue } from "./wake-due.ts";

/**
 * Delivers signals: kept until their run waits for them. All or none are looked for, each is accepted on its own;
 * the first that was not is thrown, as `RunNotFound` or `WrongStatus`.
 */
export async function sendSignals(
  runtime: Runtime,
  tenant: string,
  signals: readonly NewSignal[],
): Promise<void> {
  const { sent, due } = await runtime.store.deliverSignals(tenant, signals);
  await wakeDue(runtime, due, "after a signal");
  for (const { runId, result } of sent) {
    if (result === "not_found") throw new RunNotFound(runId);
    if (result !== "accepted") throw new WrongStatus(runId, result, "signalled", "live and dead");
  }
}

/** A signal as somebody outside sends it. */
export interface SignalRequest {
  readonly name: string;
  readonly payload?: unknown;
  readonly id?: string | undefined;
}

/** Throws `InvalidSignalName`: nobody outside may pass for the caller of a hook, whose signals have a "#". */
export function toNewSignal(runId: string, { name, payload, id }: SignalRequest): NewSignal {
  const odd = name.includes("#") || name.includes("\u0000") || !name.isWellFormed();
  if (name === "" || name.length > 100 || odd) throw new InvalidSignalName(name);
  return { runId, name, payload: encode(payload, `The payload of signal "${name}"`), id: id ?? null };
}
