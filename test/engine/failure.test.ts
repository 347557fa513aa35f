import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NonRetryableError, StepFailed } from "../../src/engine/errors.ts";
import { type Failure, storableText, toError, toFailure } from "../../src/engine/failure.ts";
import { failureOf } from "./support.ts";

/** What jsonb takes: JSON without U+0000 or half a surrogate pair, and not too much of it. */
function expectStorable(failure: Failure): void {
  const texts: string[] = [];
  const json = JSON.stringify(failure, (key, value: unknown) => {
    texts.push(key);
    if (typeof value === "string") texts.push(value);
    return value;
  });
  expect(texts.filter((text) => text.includes("\u0000") || !text.isWellFormed())).toEqual([]);
  expect(json.length).toBeLessThan(100_000);
  for (const field of [failure.code, failure.name, failure.message]) expect(typeof field).toBe("string");
}

/** An object of which every field throws when read. */
const hostile = () =>
  new Proxy(new Error("hidden"), {
    get() {
      throw new Error("not yours");
    },
  });

describe("toFailure", () => {
  test("keeps code, name, message, stack and cause (H4)", () => {
    const thrown = Object.assign(new TypeError("bad", { cause: new Error("worse") }), { code: "EBAD" });
    expect(toFailure(thrown)).toMatchObject({
      code: "EBAD",
      name: "TypeError",
      message: "bad",
      stack: expect.stringContaining("TypeError: bad"),
      cause: { code: "error", name: "Error", message: "worse" },
    });
  });

  test.each<[string, unknown, string]>([
    ["a string", "out of stock", "out of stock"],
    ["an empty string", "", ""],
    ["undefined", undefined, "undefined"],
    ["null", null, "null"],
    ["a number", 404, "404"],
    ["a BigInt", 7n, "7"],
    ["a symbol", Symbol("oops"), "Symbol(oops)"],
    ["a plain object", { status: 500 }, '{"status":500}'],
    ["an object that JSON cannot say", { amount: 7n }, "a value that cannot be shown"],
    ["an object without a prototype", Object.create(null), "{}"],
    ["an error without a message", new Error(), ""],
  ])("tells what was thrown: %s (H4)", (_, thrown, message) => {
    const failure = toFailure(thrown);
    expect(failure).toMatchObject({ code: "error", name: "Error", message });
    expectStorable(failure);
  });

  test("an error with a BigInt field, a frozen one and an AggregateError are kept (H4)", () => {
    const aggregate = new AggregateError([new Error("one"), new Error("two")], "both failed");
    expect(toFailure(Object.assign(new Error("with a field"), { amount: 7n })).message).toBe("with a field");
    expect(toFailure(Object.freeze(new Error("frozen"))).message).toBe("frozen");
    expect(toFailure(aggregate)).toMatchObject({ name: "AggregateError", message: "both failed" });
  });

  test("cuts a chain of causes that never ends (H4)", () => {
    const first: Error & { cause?: unknown } = new Error("first");
    first.cause = new Error("second", { cause: first });
    const failure = toFailure(first);
    expectStorable(failure);
    let depth = 0;
    for (let at: Failure | undefined = failure; at !== undefined; at = at.cause) depth += 1;
    expect(depth).toBe(6);
  });

  test("cuts a stack of 10 MB and a message of 10 MB, saying how long they were (H4)", () => {
    const thrown = new Error("m".repeat(10_000_000));
    thrown.stack = "s".repeat(10_000_000);
    const failure = toFailure(thrown);
    expectStorable(failure);
    expect(failure.message).toMatch(/^m{4000}… \(10000000 characters\)$/);
    expect(failure.stack).toContain("10000000 characters");
  });

  test("leaves out what cannot be read", () => {
    expectStorable(toFailure(hostile()));
    const halfHidden = Object.defineProperty(new Error("seen"), "stack", {
      get() {
        throw new Error("no");
      },
    });
    expect(toFailure(halfHidden)).toEqual(failureOf("seen"));
  });

  test("replaces U+0000 and half surrogate pairs in every field", () => {
    class Rude extends NonRetryableError {
      override readonly code = "rude\u0000";
    }
    const texts = { name: "n\u0000", message: "m\u0000\ud800", stack: "s\u0000", code: "c\udc00" };
    const failure = toFailure(Object.assign(new Error("", { cause: "cause\u0000" }), texts));
    expect(failure).toMatchObject({
      name: "n\ufffd",
      message: "m\ufffd\ufffd",
      stack: "s\ufffd",
      code: "c\ufffd",
    });
    expectStorable(failure);
    expectStorable(toFailure(new Rude("no")));
  });

  test("a code that is not text, or far too long, is still a short text", () => {
    class Numbered extends NonRetryableError {
      override readonly code = 42 as unknown as string;
    }
    expectStorable(toFailure(new Numbered("no")));
    expectStorable(toFailure(Object.assign(new Error("no"), { code: 42 })));
    expectStorable(toFailure(Object.assign(new NonRetryableError("no"), { code: "x".repeat(1_000_000) })));
  });

  test("does not cut a pair of surrogates in half", () => {
    expect(storableText("ab😀", 3)).toBe("ab\ufffd… (4 characters)");
  });

  test("names the step whose failure ended the run", () => {
    expect(toFailure(new StepFailed("charge#2", 3, failureOf("no"))).step).toBe("charge#2");
    expect(toFailure(new Error("else"))).not.toHaveProperty("step");
  });

  test("never throws, and what it gives can be stored, whatever was thrown (H4)", () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
    });
    const error = fc
      .tuple(
        fc.string({ unit: "binary" }),
        fc.dictionary(fc.constantFrom("code", "name", "stack", "cause"), anything),
      )
      .map(([message, fields]) => Object.assign(new Error(message), fields));
    fc.assert(
      fc.property(fc.oneof(anything, error), (thrown) => expectStorable(toFailure(thrown))),
      { numRuns: 2_000 },
    );
  });

  test("never throws for a proxy that refuses everything", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expectStorable(toFailure(proxy));
  });
});

describe("toError", () => {
  test("gives back the error that was stored", () => {
    const thrown = Object.assign(new TypeError("bad", { cause: new RangeError("worse") }), { code: "EBAD" });
    const error = toError(toFailure(thrown));
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "TypeError", message: "bad", code: "EBAD", stack: thrown.stack });
    expect(error.cause).toMatchObject({ name: "RangeError", message: "worse" });
    expect(toFailure(error)).toEqual(toFailure(thrown));
  });

  test("a failed step says which step, how often it was tried, and why", () => {
    expect(new StepFailed("charge", 3, failureOf("declined")).message).toBe(
      'Step "charge" failed after 3 attempts: declined',
    );
    expect(new StepFailed("charge", 1, failureOf("declined")).message).toContain("after its only attempt");
    expect(new StepFailed("charge", 1, failureOf("declined")).cause).toMatchObject({ message: "declined" });
  });
});
