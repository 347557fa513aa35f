/**
 * `npm run bench:peers [-- --rounds N --only pawl,dbos --steps N --minutes N --out file W1 W2 …]`: Pawl beside its peers and
 * beside Postgres' own floor. The whole of it writes bench/RESULTS.md; a part is printed, unless `--out` says where it goes.
 * `npm run bench` is the part that is Pawl's.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../scripts/support/command.ts";
import { readOptions } from "./options.ts";
import { results } from "./report/results.ts";
import { play } from "./session.ts";
import { versionOf } from "./systems.ts";

await runCommand(async () => {
  const asked = readOptions(process.argv.slice(2));
  if (asked.columns.some(({ system }) => versionOf(system) === undefined)) installPeers();
  const told = await play(asked);
  const text = results(told);
  const out = asked.out ?? (asked.whole ? join(import.meta.dirname, "RESULTS.md") : undefined);
  if (out === undefined) process.stdout.write(text);
  else writeFileSync(out, text);
  const failures = told.figures.allFailures();
  if (failures.length > 0) throw new Error(`not everything could be measured\n${failures.join("\n")}`);
});

function installPeers(): void {
  console.error("npm ci --prefix bench");
  execFileSync("npm", ["ci", "--prefix", import.meta.dirname], { stdio: ["ignore", 2, 2] });
}
