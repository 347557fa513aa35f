/** A short chaos with one seed, so that the chaos itself stays whole. What it is for: `npm run chaos`, see test/README.md. */
import { expect, test } from "vitest";
import { chaos } from "./chaos.ts";
import { complaint } from "./report.ts";

const SEED = 29;
/** Which faults find something to strike in so few seconds is up to the machine. */
const LEAST_FAULTS = 3;

test(`every promise is kept through seconds of random faults and the healing after them (seed ${SEED})`, async () => {
  const silent = () => {};
  const verdict = await chaos({ seed: SEED, ms: 12_000, workers: 2, log: silent, trace: silent });
  expect(complaint(verdict)).toBe("");
  expect([...verdict.faults.values()].filter((times) => times > 0).length).toBeGreaterThan(LEAST_FAULTS);
  expect(verdict.ends.some(({ status, count }) => status === "completed" && count > 0)).toBe(true);
}, 400_000);
