/** What was done, for systems whose steps run in this process. */
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { output } from "./work.ts";

export class Ledger {
  readonly #marks = new Map<string, number[]>();
  readonly #ended = new Map<string, number>();

  /** A name for one piece of work, which its runs carry with them. */
  open(): string {
    const tag = `work ${this.#marks.size + 1}`;
    this.#marks.set(tag, []);
    return tag;
  }

  /** The body of a step. */
  step(tag: string, bytes?: number): string | null {
    this.#marks.get(tag)?.push(performance.now());
    return output(bytes);
  }

  end(tag: string): void {
    this.#ended.set(tag, this.ended(tag) + 1);
  }

  ended(tag: string): number {
    return this.#ended.get(tag) ?? 0;
  }

  marks(tag: string): readonly number[] {
    return this.#marks.get(tag) ?? [];
  }

  /** Once so many have ended. */
  async allEnded(tag: string, expected: number): Promise<void> {
    while (this.ended(tag) < expected) await sleep(2);
  }
}

/** Asked again and again until as many are done as are expected; gives the milliseconds between first and last. */
export async function settled(
  pool: pg.Pool,
  expected: number,
  query: string,
  params: unknown[],
): Promise<number> {
  for (;;) {
    const { rows } = await pool.query<{ done: number; ms: number }>(`${UNCOUNTED} ${query}`, params);
    const [row] = rows;
    if (row !== undefined && row.done >= expected) return row.ms;
    await sleep(20);
  }
}

/** Marks statements of the bench itself, which are not those of the system. */
export const UNCOUNTED = "/* bench */";
