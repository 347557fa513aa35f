/** Plays the same commands to two stores, and says where they first disagree. */
import { PawlError } from "../../src/engine/errors.ts";
import type { StoreUnderTest } from "../storage/support/bed.ts";
import type { Act, Side } from "./commands/choices.ts";
import { Commands } from "./commands.ts";
import { comparable, snapshotOf } from "./comparable.ts";
import type { Coverage } from "./coverage.ts";
import { ConstraintViolated } from "./memory/values.ts";

/** What the two say of the same question. */
export interface Disagreement {
  /** The number of the command after which they disagree. */
  readonly number: number;
  readonly about: "answer" | "rows" | "stuck runs" | "violations";
  readonly real: unknown;
  readonly model: unknown;
}

export interface Stores {
  readonly real: StoreUnderTest;
  readonly model: StoreUnderTest;
}

/** Every so many commands the view of stuck runs is asked, too, which takes as long as all else. */
const LOOK = 8;

/** Commands of the seed, by their numbers, on stores that are emptied first. Null when all is the same. */
export async function play(
  { real, model }: Stores,
  seed: number,
  numbers: readonly number[],
  coverage?: Coverage,
): Promise<Disagreement | null> {
  await real.clear();
  await model.clear();
  coverage?.begin();
  const [one, other] = [real, model].map((under) => sideOf(coverage?.over(under) ?? under)) as [Side, Side];
  const commands = new Commands(seed);
  for (const number of numbers) {
    const act = commands.next(number, one, await model.everything());
    const answers = { real: await answerOf(act, one), model: await answerOf(act, other) };
    if (!isSame(answers)) return { number, about: "answer", ...answers };
    const found = await compareRows({ real, model }, number, coverage);
    if (found !== null) return found;
    for (const { under } of [one, other]) await under.moveClock(1);
  }
  return null;
}

function sideOf(under: StoreUnderTest): Side {
  return { under, runs: [], branches: [], sends: [] };
}

async function answerOf(act: Act, side: Side): Promise<unknown> {
  try {
    return comparable(await act(side));
  } catch (error) {
    return { refused: refusalOf(error) };
  }
}

/** What a store refuses on purpose. Anything else is a fault of the store, and thrown. */
function refusalOf(error: unknown): string {
  if (error instanceof ConstraintViolated) return "constraint";
  const { code = "" } = error as { readonly code?: string };
  if (/^23\w{3}$/.test(code)) return "constraint";
  if (error instanceof PawlError || code === "body") return code;
  throw error;
}

async function compareRows(
  { real, model }: Stores,
  number: number,
  coverage: Coverage | undefined,
): Promise<Disagreement | null> {
  const [rows, kept] = [await real.everything(), await model.everything()];
  coverage?.see(rows);
  const held = { real: snapshotOf(rows), model: snapshotOf(kept) };
  if (!isSame(held)) return { number, about: "rows", ...held };
  if (number % LOOK !== 0) return null;
  const stuck = { real: stuckOf(await real.stuckRuns()), model: stuckOf(await model.stuckRuns()) };
  if (!isSame(stuck)) return { number, about: "stuck runs", ...stuck };
  const violations = { real: [], model: await model.violations() };
  return isSame(violations) ? null : { number, about: "violations", ...violations };
}

function isSame({ real, model }: { readonly real: unknown; readonly model: unknown }): boolean {
  return JSON.stringify(real) === JSON.stringify(model);
}

/** The view and the store in memory name the same by other names. */
function stuckOf(stuck: readonly unknown[]): string[] {
  const all = stuck as { reason?: string; why?: string; id?: string; runId?: string }[];
  return all.map(({ reason, why, id, runId }) => `${id ?? runId} ${reason ?? why}`).sort();
}
