/** The engine after a bundler has renamed its classes. */
import { build } from "esbuild";
import { expect, test } from "vitest";

const CONTENTS = `
  export { NonRetryableError } from "./src/engine/errors.ts";
  export { toFailure } from "./src/engine/failure.ts";
  export { nextRetryMs } from "./src/engine/retry.ts";`;

async function minified(): Promise<typeof import("../../src/engine/errors.ts") & Engine> {
  const { outputFiles } = await build({
    stdin: { contents: CONTENTS, resolveDir: process.cwd() },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    logLevel: "silent",
  });
  return import(`data:text/javascript,${encodeURIComponent(outputFiles[0]?.text ?? "")}`);
}

type Engine = typeof import("../../src/engine/failure.ts") & typeof import("../../src/engine/retry.ts");

test("NonRetryableError is not tried again and keeps its name when its class has another (H7)", async () => {
  const { NonRetryableError, nextRetryMs, toFailure } = await minified();
  class Declined extends NonRetryableError {}
  expect(NonRetryableError.name).not.toBe("NonRetryableError");
  for (const thrown of [new NonRetryableError(""), new NonRetryableError("no funds"), new Declined()]) {
    expect(nextRetryMs({ maxAttempts: 10 }, 1, thrown, "seed", 0)).toBeNull();
    expect(toFailure(thrown)).toMatchObject({ code: "non_retryable", name: "NonRetryableError" });
  }
});
