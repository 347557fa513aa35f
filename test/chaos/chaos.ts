/** The story of one run of chaos: traffic and faults, then healing, then every check. */
import { setTimeout as pause } from "node:timers/promises";
import { answersAgain } from "../support/cluster.ts";
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

  await answersAgain(bed.database);
  log(`healing ${await countUnfinished(bed)} runs`);
  const recovery = await heal(bed, { client, book, workload, ticker });
  ticker.stop();
  log(`healed in ${Math.round(recovery.tookMs / 1_000)} s; checking`);
  const violations = [
    ...seen,
    ...slowness(recovery),
    ...(await safety(bed.database)),
    ...(await safety(bed.database, [STUCK])),
    ...(await brokenPromises(bed, book, client)),
  ];
  const faults = new Map(storm.enabled.map(({ name }) => [name, troubles.struck.get(name) ?? 0]));
  const figures = await figuresOf(bed);
  const evidence = await gatherEvidence(bed.database, bed.ledger, violations);
  const { outcomes } = client;
  return { violations, evidence, faults, outcomes, safetyChecks: passed, recovery, ...figures };
}

function slowness({ isOver, tookMs }: Recovery): Violation[] {
  const detail = `not after ${Math.round(tookMs / 1_000)} s`;
  return isOver
    ? []
    : [{ promise: "once nothing breaks, everything comes to its end (L1, L5)", runId: null, detail }];
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

async function figuresOf({ database, ledger, accepted }: Bed) {
  const ends = await database.rows<{ workflow: string; status: string; count: number }>(
    "select workflow, status, count(*)::int as count from pawl.runs group by workflow, status order by workflow, status",
  );
  const [lost] = await database.rows<{ count: number }>("select count(*)::int as count from chaos.lost");
  return { ends, effects: ledger.effects.length, events: accepted.length, lostTurns: lost?.count ?? 0 };
}
