/**
 * `npm run chaos [-- --minutes 10 --seed 7 --workers 3 --trace]`: several workers on one Postgres, faults at random from the seed,
 * then healing, then every check. Exits 0 only when every promise was kept.
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { chaos } from "./chaos.ts";
import { idleness } from "./idleness.ts";
import { complaint, report } from "./report.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "2" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    workers: { type: "string", default: "3" },
    trace: { type: "boolean", default: false },
  },
});
const minutes = numberOf("minutes");
const seed = numberOf("seed");
const workers = numberOf("workers");

console.log(`SEED=${seed} COMMIT=${commit()}`);
const startedAt = Date.now();
const ms = minutes * 60_000;
const seen = await chaos({ seed, ms, workers, log, trace: values.trace ? log : () => {} });
const verdict = { ...seen, violations: [...seen.violations, ...idleness(seen, ms)] };
console.log(`\n${report(verdict)}\n`);
if (verdict.violations.length > 0) {
  console.log(`${complaint(verdict)}\n\n${verdict.evidence}`);
  console.log(
    `\nThe same faults again: npm run chaos -- --minutes ${minutes} --seed ${seed} --workers ${workers}`,
  );
  process.exitCode = 1;
} else {
  console.log(`Every promise was kept. SEED=${seed}`);
}

function numberOf(option: "minutes" | "seed" | "workers"): number {
  const value = Number(values[option]);
  if (!(value > 0)) throw new TypeError(`--${option} must be a number above 0, not "${values[option]}".`);
  return value;
}

function commit(): string {
  const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain") === "" ? "" : " with changes";
  return `${git("rev-parse", "--short", "HEAD")}${changed}`;
}

function log(line: string): void {
  console.log(`${String(Math.round((Date.now() - startedAt) / 1_000)).padStart(5)} s  ${line}`);
}
