/** The client of the chaos: notes what came of each request, and what a 2xx has promised. */
import { setTimeout as pause } from "node:timers/promises";
import type { TestWorker } from "../support/worker.ts";
import type { Dice } from "./dice.ts";

/** `unknown`: it may have been done or not. A worker or a database that is away can say nothing else. */
export type Outcome = "ok" | "refused" | "unknown";

export interface Answer {
  readonly outcome: Outcome;
  readonly status: number;
  readonly body: unknown;
}

/** A worker that is frozen answers late, and one that is dead never. */
const PATIENCE_MS = 8_000;

const SILENCE: Answer = { outcome: "unknown", status: 0, body: null };

export class Client {
  readonly #workers: readonly TestWorker[];
  readonly #dice: Dice;
  /** How often each kind of request came to each outcome. */
  readonly outcomes = new Map<string, Record<Outcome, number>>();
  /** Answers that no client should ever get. */
  readonly faults: string[] = [];
  /** Final statuses that an answer has told: they must be true for ever, but for those that are revived. */
  readonly told = new Map<string, string>();

  constructor(workers: readonly TestWorker[], dice: Dice) {
    this.#workers = workers;
    this.#dice = dice;
  }

  get(kind: string, path: string): Promise<Answer> {
    return this.#note(kind, path, (worker) => worker.get(path));
  }

  post(kind: string, path: string, body?: unknown, key?: string): Promise<Answer> {
    const headers: Record<string, string> = key === undefined ? {} : { "idempotency-key": key };
    return this.#note(kind, path, (worker) => worker.post(path, body, headers));
  }

  async #note(
    kind: string,
    path: string,
    ask: (worker: TestWorker) => Promise<{ status: number; body: unknown }>,
  ): Promise<Answer> {
    const worker = this.#workers[this.#dice(this.#workers.length)] as TestWorker;
    const late = pause(PATIENCE_MS, SILENCE, { ref: false });
    const answer = await Promise.race([ask(worker).then(judge), late]).catch(() => SILENCE);
    const outcomes = this.outcomes.get(kind) ?? { ok: 0, refused: 0, unknown: 0 };
    outcomes[answer.outcome] += 1;
    this.outcomes.set(kind, outcomes);
    if (answer.status === 500) this.faults.push(`${kind} ${path}: 500 ${JSON.stringify(answer.body)}`);
    if (answer.outcome === "ok") this.#listen(answer.body);
    return answer;
  }

  /** Any answer that shows a run makes a promise when the run is over. */
  #listen(body: unknown): void {
    const { id, status } = (body ?? {}) as { id?: string; status?: string };
    if (id !== undefined && (status === "completed" || status === "cancelled")) this.told.set(id, status);
  }
}

function judge({ status, body }: { status: number; body: unknown }): Answer {
  const outcome = status < 300 ? "ok" : status >= 400 && status < 500 ? "refused" : "unknown";
  return { outcome, status, body };
}
