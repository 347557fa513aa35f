import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ERRORS } from "../../src/http/errors.ts";

test("docs/errors.md lists every error code with the status that it is answered with", () => {
  const rows = readFileSync("docs/errors.md", "utf8").matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm);
  const documented = [...rows].map(([, code, status]) => [code, Number(status)]);
  const answered = Object.entries(ERRORS).map(([code, { status }]) => [code, status]);
  expect(documented.sort()).toEqual(answered.sort());
});

test("docs/errors.md names every failure that the engine makes", async () => {
  const documented = readFileSync("docs/errors.md", "utf8");
  const source = readFileSync("src/engine/errors.ts", "utf8");
  const codes = [...source.matchAll(/^ {2}readonly code = "(\w+)";/gm)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(15);
  expect(codes.filter((code) => !documented.includes(`\`${code}\``))).toEqual([]);
});
