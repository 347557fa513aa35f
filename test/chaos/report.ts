/** What is printed at the end: tables that can be put into a document, and what was violated. */
import type { Verdict } from "./chaos.ts";

const MOST_SHOWN = 30;

export function report(verdict: Verdict): string {
  const { faults, outcomes, recovery } = verdict;
  const struck = [...faults].map(([name, times]) => [name, times]);
  const requests = [...outcomes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, { ok, refused, unknown }]) => [kind, ok, refused, unknown]);
  const general = [
    ["effects outside", verdict.effects],
    ["events accepted outside", verdict.events],
    ["turns and branches lost", verdict.lostTurns],
    ["rounds of safety checks during the faults", verdict.safetyChecks],
    ["runs unfinished when the faults stopped", recovery.unfinishedBefore],
    ["recovery, seconds of the machine", (recovery.tookMs / 1_000).toFixed(1)],
    ["recovery, minutes that sleepers were spared", Math.round(recovery.sleptMs / 60_000)],
    ["violations", verdict.violations.length],
  ];
  return [
    table(["fault", "times"], struck),
    table(["request", "ok", "refused", "unknown"], requests),
    table(["workflow", "completed", "failed", "cancelled", "other"], runsByEnd(verdict)),
    table(["", ""], general),
  ].join("\n\n");
}

/** Each promise that was broken, with the runs that broke it. */
export function complaint({ violations }: Verdict): string {
  const promises = [...new Set(violations.map(({ promise }) => promise))];
  const lines = promises.flatMap((promise) => {
    const its = violations.filter((violation) => violation.promise === promise);
    const shown = its.slice(0, MOST_SHOWN).map(({ runId, detail }) => `  ${runId ?? "-"}  ${detail}`);
    return [`BROKEN ${its.length}×: ${promise}`, ...shown];
  });
  return lines.join("\n");
}

function runsByEnd({ ends }: Verdict): (string | number)[][] {
  const known = ["completed", "failed", "cancelled"];
  return [...new Set(ends.map(({ workflow }) => workflow))].map((workflow) => {
    const its = ends.filter((end) => end.workflow === workflow);
    const count = (isMeant: (status: string) => boolean) =>
      its.filter(({ status }) => isMeant(status)).reduce((sum, end) => sum + end.count, 0);
    const known3 = known.map((status) => count((each) => each === status));
    return [workflow, ...known3, count((status) => !known.includes(status))];
  });
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}
