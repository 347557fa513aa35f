import type { Reporter, TestCase } from "vitest/node";

/** Closes a run with one plain line that any reader of logs understands. */
export default class ClosingLine implements Reporter {
  #passed = 0;
  #failed = 0;
  #skipped = 0;

  onTestCaseResult(test: TestCase): void {
    const { state } = test.result();
    if (state === "passed") this.#passed += 1;
    else if (state === "failed") this.#failed += 1;
    else this.#skipped += 1;
  }

  /** A file that cannot be loaded, or an error outside a test, counts as a failure. */
  onTestRunEnd(files: readonly { errors(): readonly unknown[] }[], errors: readonly unknown[]): void {
    const broken = files.filter((file) => file.errors().length > 0).length + errors.length;
    const skipped = this.#skipped > 0 ? `, ${this.#skipped} skipped` : "";
    console.log(`\n${this.#passed} passed, ${this.#failed + broken} failed${skipped}`);
  }
}
