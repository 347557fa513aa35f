/** The story of one run of chaos: traffic and faults, then healing, then every check. */
import { setTimeout as pause } from "node:timers/promises";
import { type Bed, createBed } from "./bed.ts";
import { Book } from "./book.ts";
import { Client } from "./client.ts";
import { diceFor } from "./dice.ts";
import { gatherEvidence } from "./evidence.ts";
import type { Stage } from "./faults.ts";
import { countUnfinished, heal, type Recovery } from "./heal.ts";
import { brokenPromises } from "./promises.ts";
import { STUCK, safety, type Violation } from "./safety.ts";
import { Storm } from "./storm.ts";
import { startTicker } from "./ticker.ts";
import { Troubles } from "./trouble.ts";
import { Workload } from "./workload.ts";

export interface ChaosOptions {
  readonly seed: number;
  /** How long faults are injected. */
  readonly ms: number;
  readonly workers: number;
  readonly log: (line: string) => void;
  readonly trace: (line: string) => void;
}

export interface Verdict {
  readonly violations: readonly Violation[];
  /** What the database and the ledger say of the runs that are named there. */
  readonly evidence: string;
  /** How often each enabled fault struck. */
  readonly faults: ReadonlyMap<string, number>;
  readonly outcomes: Client["outcomes"];
  /** How many runs of each workflow ended how. */
  readonly ends: readonly { workflow: string; status: string; count: number }[];
  readonly effects: number;
  readonly events: number;
  readonly lostTurns: number;
  readonly safetyChecks: number;
  readonly recovery: Recovery;
}

const LOOK_EVERY_MS = 1_000;
/** How often it looks before it checks: the checks read whole tables. */
const LOOKS_TO_A_CHECK = 4;
/** One of so many milliseconds of storm: with fewer completed runs, nothing was tested. */
const MS_TO_A_COMPLETED_RUN = 2_000;

export async function chaos(options: ChaosOptions): Promise<Verdict> {
  const bed = await createBed(options.workers);
  try {
    return await unleash(bed, options);
  } finally {
    await bed.stop();
  }
}

async function unleash(bed: Bed, { seed, ms, log, trace }: ChaosOptions): Promise<Verdict> {
  const book = new Book();
  const client = new Client(bed.workers, diceFor(seed, "client"));
  const workload = new Workload(client, book, seed);
  const troubles = new Troubles(diceFor(seed, "trouble"));
  const ticker = startTicker(bed.workers);
  const stage: Stage = { bed, ticker, troubles, taken: new Set() };
  const storm = new Storm(seed, stage, trace);
  log(`${storm.enabled.length} faults: ${storm.enabled.map(({ name }) => name).join(", ")}`);
  troubles.enter(bed);
  bed.ledger.onEffect = ({ runId, step }) => ({ broken: step === "fragile" && !book.mended.has(runId) });

  let isOver = false;
  const watch = watchOver(bed, () => isOver, log);
  const traffic = workload.keepBusy(
    () => isOver,
    () => watch.unfinished,
  );
  await storm.rage(ms);
  isOver = true;
  await traffic;
  const { violations: seen, passed } = await watch.done;

  log(`healing ${await countUnfinished(bed)} runs`);
  const recovery = await heal(bed, { client, book, workload, ticker });
  ticker.stop();
  log(`healed in ${Math.round(recovery.tookMs / 1_000)} s; checking`);
  const violations = [
    ...seen,
    ...(await safety(bed.database)),
    ...(await safety(bed.database, [STUCK])),
    ...(await brokenPromises(bed, book, client)),
  ];
  const faults = new Map(storm.enabled.map(({ name }) => [name, troubles.struck.get(name) ?? 0]));
  const figures = await figuresOf(bed);
  const evidence = await gatherEvidence(bed.database, bed.ledger, violations);
  const verdict = { faults, outcomes: client.outcomes, safetyChecks: passed, recovery, evidence, ...figures };
  return { ...verdict, violations: [...violations, ...idleness(verdict, ms)] };
}

/** Checks what must be true at every instant, again and again; a Postgres that is away is asked later. */
function watchOver(bed: Bed, isOver: () => boolean, log: (line: string) => void) {
  const watch = { unfinished: 0, done: Promise.resolve({ violations: [] as Violation[], passed: 0 }) };
  const go = async () => {
    const violations: Violation[] = [];
    let passed = 0;
    for (let look = 1; !isOver(); look++) {
      await pause(LOOK_EVERY_MS);
      try {
        watch.unfinished = await countUnfinished(bed);
        if (look % LOOKS_TO_A_CHECK > 0) continue;
        violations.push(...(await safety(bed.database)));
        // After a step back of the clock, what was due a moment ago may look as if it came too late.
        if (!bed.clockWentBack) violations.push(...(await safety(bed.database, [STUCK])));
        passed += 1;
        if (passed % 5 === 0) log(`${watch.unfinished} runs under way, ${violations.length} violations`);
      } catch {
        // Another time.
      }
    }
    return { violations, passed };
  };
  watch.done = go();
  return watch;
}

/** A storm that hit nothing, or in which nothing was done, must not pass for a good one. */
function idleness(
  { faults, ends, outcomes, safetyChecks }: Pick<Verdict, "faults" | "ends" | "outcomes" | "safetyChecks">,
  ms: number,
): Violation[] {
  const wrong = (detail: string) => ({ promise: "the chaos was one", runId: null, detail });
  const never = [...faults].filter(([, times]) => times === 0).map(([name]) => wrong(`never: ${name}`));
  const completed = ends
    .filter(({ status }) => status === "completed")
    .reduce((sum, end) => sum + end.count, 0);
  const least = Math.ceil(ms / MS_TO_A_COMPLETED_RUN);
  const few = completed < least ? [wrong(`${completed} completed runs, not ${least}`)] : [];
  const failed = [...outcomes]
    .filter(([, { ok }]) => ok === 0)
    .map(([kind]) => wrong(`never went well: ${kind}`));
  const unchecked = safetyChecks === 0 ? [wrong("nothing was checked meanwhile")] : [];
  return [...never, ...few, ...failed, ...unchecked];
}

async function figuresOf({ database, ledger, accepted }: Bed) {
  const ends = await database.rows<{ workflow: string; status: string; count: number }>(
    "select workflow, status, count(*)::int as count from pawl.runs group by workflow, status order by workflow, status",
  );
  const [lost] = await database.rows<{ count: number }>("select count(*)::int as count from chaos.lost");
  return { ends, effects: ledger.effects.length, events: accepted.length, lostTurns: lost?.count ?? 0 };
}
