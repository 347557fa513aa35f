// Failures that can be switched on, to see what a workflow does about them.
import { setTimeout as wait } from "node:timers/promises";
import * as z from "zod";
import { isKind } from "./effects.ts";
import { type Answer, BadRequest } from "./http.ts";

const Failure = z.strictObject({
  /** Answer with this status and do nothing. */
  status: z.int().min(400).max(599).optional(),
  /** Seconds for the `Retry-After` header that goes with the status. */
  retryAfter: z.int().positive().optional(),
  /** Answer this much later; the effect itself happens at once. */
  delayMs: z.int().positive().max(600_000).optional(),
  /** Cut the connection instead of answering; without a status, the effect has happened. */
  loseAnswer: z.literal(true).optional(),
  /** How many requests it hits; without it, every one until it is switched off. */
  times: z.int().positive().optional(),
});

const Name = z.string().refine((name) => name === "feed" || isKind(name), "is nothing that can fail");
const Failures = z.record(Name, Failure);

type Failure = z.infer<typeof Failure>;

/** Which failures are on, and for how many more requests. */
export class FailureSwitches {
  #active = new Map<string, Failure>();
  #clearing = new AbortController();

  /** Replaces all switches. */
  set(body: unknown): void {
    const parsed = Failures.safeParse(body);
    if (!parsed.success) throw new BadRequest(400, z.prettifyError(parsed.error));
    this.#active = new Map(Object.entries(parsed.data));
  }

  /** Switches all off; who is being delayed is answered now. */
  clear(): void {
    this.#active.clear();
    this.#clearing.abort();
    this.#clearing = new AbortController();
  }

  /** Rejects only when the shop stops. */
  async delay(ms: number, stopping: AbortSignal): Promise<void> {
    const { signal } = this.#clearing;
    try {
      await wait(ms, undefined, { signal: AbortSignal.any([signal, stopping]) });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  active(): Record<string, Failure> {
    return Object.fromEntries(this.#active);
  }

  /** The failure that hits this request, used up by one. */
  take(kind: string): Failure | null {
    const failure = this.#active.get(kind);
    if (!failure) return null;
    if (failure.times === 1) this.#active.delete(kind);
    else if (failure.times) this.#active.set(kind, { ...failure, times: failure.times - 1 });
    return failure;
  }
}

export function failureAnswer(status: number, retryAfter: number | undefined): Answer {
  const body = { error: `This failure was switched on: ${status}.` };
  return { status, body, headers: retryAfter ? { "Retry-After": String(retryAfter) } : {} };
}
