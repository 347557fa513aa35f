// Runs the simulation outside the tests.
//
//   npm run simulate -- --seeds 100000           so many seeds, over all cores
//   npm run simulate -- --seeds 1000 --all       goes on after what it finds, and says in how many seeds
//   npm run simulate -- --seed 4711              one seed again, with everything that happened
import { execFileSync, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { explore, replay } from "./explore.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10000" },
    from: { type: "string" },
    all: { type: "boolean", default: false },
    seed: { type: "string" },
  },
});

if (process.send !== undefined) await part();
else if (values.seed !== undefined) await again(Number(values.seed));
else await all(Number(values.seeds), Number(values.from ?? Date.now() % 1e9));

interface Part {
  readonly seeds: number;
  readonly steps: number;
  readonly found: number;
  readonly finding: { readonly seed: number; readonly message: string } | null;
}

async function all(seeds: number, from: number): Promise<void> {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"]).toString().trim();
  process.stdout.write(`SEEDS=${from}…${from + seeds - 1} COMMIT=${commit}\n`);
  const began = performance.now();
  const parts = availableParallelism();
  const share = Math.ceil(seeds / parts);
  const given = await Promise.all(Array.from({ length: parts }, (_, i) => inChild(from + i * share, share)));
  const seconds = (performance.now() - began) / 1_000;
  const ran = given.reduce((sum, one) => sum + one.seeds, 0);
  const steps = given.reduce((sum, one) => sum + one.steps, 0);
  process.stdout.write(
    `${ran} seeds, ${steps} steps, ${seconds.toFixed(1)} s: ${Math.round(ran / seconds)} seeds/s\n`,
  );
  if (values.all) {
    const found = given.reduce((sum, one) => sum + one.found, 0);
    process.stdout.write(`${found} of them show a violation\n`);
  }
  for (const { finding } of given) {
    if (finding === null) continue;
    process.stdout.write(
      `seed ${finding.seed}: ${finding.message}\n  npm run simulate -- --seed ${finding.seed}\n`,
    );
    process.exitCode = 1;
  }
}

function inChild(from: number, seeds: number): Promise<Part> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, [
      ...["--from", String(from), "--seeds", String(seeds)],
      ...(values.all ? ["--all"] : []),
    ]);
    child.once("message", (message) => resolve(message as Part));
    child.once("exit", (code) => reject(new Error(`a part of the simulation ended with ${code}`)));
  });
}

async function part(): Promise<void> {
  const most = values.all ? Number.POSITIVE_INFINITY : 1;
  const { seeds, steps, findings } = await explore(Number(values.from), Number(values.seeds), most);
  const [first] = findings;
  const finding = first === undefined ? null : { seed: first.seed, message: first.error.message };
  process.send?.({ seeds, steps, found: findings.length, finding } satisfies Part, () => process.exit());
}

async function again(seed: number): Promise<void> {
  const { trace, error } = await replay(seed);
  for (const line of trace) process.stdout.write(`${line}\n`);
  process.stdout.write(error === null ? "all is well\n" : `${error.stack}\n`);
  if (error !== null) process.exitCode = 1;
}
