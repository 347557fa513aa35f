/**
 * `npm run bench:capacity`: simulates deployments of many sizes, in a minute or two, and writes `bench/CAPACITY.md` and its plot.
 * With `-- --measure` it measures instead what claims and commits take of a Postgres on this machine, and writes nothing.
 */
import { writeFileSync } from "node:fs";
import { measure } from "./capacity/measure.ts";
import { plot } from "./capacity/plot.ts";
import { report } from "./capacity/report.ts";
import { study } from "./capacity/study.ts";

if (process.argv.includes("--measure")) console.log(await measure());
else {
  const found = study();
  writeFileSync("bench/CAPACITY.md", report(found));
  writeFileSync("bench/capacity.svg", plot(found));
  console.log("written: bench/CAPACITY.md, bench/capacity.svg");
}
