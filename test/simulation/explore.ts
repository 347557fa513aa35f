/** Runs many seeds side by side in one process: they share the turns of its event loop. */
import { configOf, type Fault } from "./config.ts";
import { Simulation } from "./simulation.ts";

const SIDE_BY_SIDE = 64;

export interface Finding {
  readonly seed: number;
  readonly error: Error;
}

export interface Explored {
  readonly seeds: number;
  readonly steps: number;
  /** How often each fault struck. */
  readonly struck: ReadonlyMap<Fault, number>;
  /** How often each verb of a port was carried out. */
  readonly verbs: ReadonlyMap<string, number>;
  /** How often a run went from one status to another, as `ready → running`. */
  readonly moves: ReadonlyMap<string, number>;
  /** How often users, bodies or journals were told an error of that code. */
  readonly codes: ReadonlyMap<string, number>;
  readonly findings: readonly Finding[];
}

/** `mostFindings` ends it early. */
export async function explore(from: number, count: number, mostFindings = 1): Promise<Explored> {
  const struck = new Map<Fault, number>();
  const verbs = new Map<string, number>();
  const moves = new Map<string, number>();
  const codes = new Map<string, number>();
  const findings: Finding[] = [];
  let next = from;
  let steps = 0;
  const lane = async () => {
    while (next < from + count && findings.length < mostFindings) {
      const seed = next++;
      const simulation = new Simulation(configOf(seed));
      try {
        await simulation.run();
      } catch (error) {
        findings.push({ seed, error: error as Error });
      }
      steps += simulation.steps;
      addAll(struck, simulation.struck);
      addAll(verbs, simulation.ledger.verbs);
      addAll(moves, simulation.watched.moves);
      addAll(codes, simulation.codes);
    }
  };
  // Faults are errors, and nobody reads the stacks of these.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, lane));
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  return { seeds: next - from, steps, struck, verbs, moves, codes, findings };
}

/** One seed again, with all that happened. */
export async function replay(
  seed: number,
): Promise<{ readonly trace: readonly string[]; readonly error: Error | null }> {
  const simulation = new Simulation(configOf(seed), true);
  try {
    await simulation.run();
    return { trace: simulation.trace, error: null };
  } catch (error) {
    return { trace: simulation.trace, error: error as Error };
  }
}

function addAll<Key>(sums: Map<Key, number>, more: ReadonlyMap<Key, number>): void {
  for (const [key, count] of more) sums.set(key, (sums.get(key) ?? 0) + count);
}
