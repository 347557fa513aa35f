/** What the engine takes and what it refuses: at each limit, one below it and one above. */
import { describe, expect, test } from "vitest";
import { encode, VALUE_LIMIT_BYTES } from "../../src/engine/codec.ts";
import { BRANCH_LIMIT } from "../../src/engine/decide.ts";
import { durationMs, LONGEST_MS } from "../../src/engine/duration.ts";
import { toCloudEvent } from "../../src/engine/event.ts";
import { toFailure } from "../../src/engine/failure.ts";
import { checkLabel, checkName, checkTags, concurrencyOf } from "../../src/engine/plan/checks.ts";
import { defineWorkflow } from "../../src/engine/workflow.ts";
import { SimulatedRun, workflowOf } from "./support.ts";

const utf8 = new TextEncoder();

/** A text whose JSON takes so many bytes, of as many of the given character as fit. */
function sized(bytes: number, char: string): string {
  const each = utf8.encode(char).length;
  const count = Math.floor((bytes - 2) / each);
  return char.repeat(count) + "x".repeat(bytes - 2 - count * each);
}

/** A list of numbers whose JSON takes so many bytes. */
function numbers(bytes: number): number[] {
  const list = new Array(Math.floor((bytes - 1) / 2)).fill(0);
  return bytes % 2 === 0 ? list.with(0, 10) : list;
}

/** `levels` objects inside each other. */
function nested(levels: number): unknown {
  let value: unknown = 0;
  for (let i = 0; i < levels; i++) value = { a: value };
  return value;
}

interface Row {
  readonly what: string;
  readonly limit: number;
  readonly code: string;
  readonly use: (amount: number) => unknown;
}

const value = (what: string, use: Row["use"]): Row => ({
  what: `bytes of a value, ${what}`,
  limit: VALUE_LIMIT_BYTES,
  code: "unstorable_value",
  use,
});

const text = (what: string, limit: number, use: (text: string) => unknown): Row[] =>
  ["x", "ä", "語"].map((char) => ({
    what: `characters of ${what}, such as ${char}`,
    limit,
    code: "invalid_step",
    use: (amount) => use(char.repeat(amount)),
  }));

const rows: readonly Row[] = [
  ...["x", "ä", "語", "😀"].map((char) =>
    value(`text of ${utf8.encode(char).length} bytes each`, (bytes) => encode(sized(bytes, char), "x")),
  ),
  value("in the names of fields", (bytes) => encode({ [sized(bytes - 4, "語")]: 0 }, "x")),
  value("many small ones", (bytes) => encode(numbers(bytes), "x")),
  {
    what: "levels of a value",
    limit: 500,
    code: "unstorable_value",
    // The outermost object is level 0.
    use: (levels) => encode(nested(levels + 1), "x"),
  },
  ...text("a step's name", 200, checkName),
  ...text("a label", 100, (label) => checkLabel("A signal", label)),
  ...text("a child's tag", 100, (tag) => checkTags("child", [tag])),
  ...text("an event's subject", 200, (subject) => toCloudEvent("id", { type: "t", subject })),
  {
    what: "characters of an event's type",
    limit: 200,
    code: "invalid_step",
    use: (amount) => toCloudEvent("id", { type: "t".repeat(amount) }),
  },
  {
    what: "tags of a child",
    limit: 20,
    code: "invalid_step",
    use: (amount) =>
      checkTags(
        "child",
        Array.from({ length: amount }, (_, i) => `tag ${i}`),
      ),
  },
  {
    what: "items of a map at once",
    limit: 1_000,
    code: "invalid_step",
    use: (concurrency) => concurrencyOf("map", { concurrency }),
  },
  {
    what: "milliseconds of a span",
    limit: LONGEST_MS,
    code: "invalid_duration",
    use: (ms) => durationMs(ms),
  },
];

describe("what is within its limit is taken, and what is above it is refused by name", () => {
  test.each(rows.map((row) => [row.what, row] as const))("%s", (_, { limit, code, use }) => {
    expect(() => use(limit - 1)).not.toThrow();
    expect(() => use(limit)).not.toThrow();
    expect(() => use(limit + 1)).toThrow(expect.objectContaining({ code }));
  });

  test("a text is as many characters long as it has UTF-16 units: an emoji counts twice", () => {
    expect(() => checkName("😀".repeat(100))).not.toThrow();
    expect(() => checkName(`${"😀".repeat(100)}x`)).toThrow(/longer than 200/);
  });

  test("a workflow's name, and its version as far as Postgres counts", () => {
    const define = (name: string, version: number) => defineWorkflow({ name, version }, async () => {});
    expect(define("a".repeat(100), 2_147_483_647)).toMatchObject({ version: 2_147_483_647 });
    expect(() => define("a".repeat(101), 1)).toThrow(/Workflow name/);
    expect(() => define("a", 2_147_483_648)).toThrow(/from 1 to 2147483647/);
  });
});

describe("what an error says is cut to its limit, and tells how long it was", () => {
  const kept = (text: string, limit: number) =>
    text.length <= limit ? text : `${text.slice(0, limit)}… (${text.length} characters)`;

  test.each([3_999, 4_000, 4_001])("a message of %i characters", (length) => {
    const message = "語".repeat(length);
    expect(toFailure(new Error(message)).message).toBe(kept(message, 4_000));
  });

  test.each([7_999, 8_000, 8_001])("a stack of %i characters", (length) => {
    const stack = "語".repeat(length);
    expect(toFailure(Object.assign(new Error("boom"), { stack })).stack).toBe(kept(stack, 8_000));
  });

  test.each([4, 5, 6])("%i causes below each other", (causes) => {
    let error = new Error("0");
    for (let i = 1; i <= causes; i++) error = new Error(String(i), { cause: error });
    let depth = 0;
    for (let at = toFailure(error).cause; at !== undefined; at = at.cause) depth += 1;
    expect(depth).toBe(Math.min(causes, 5));
  });
});

test.each([
  ["a child's tag with U+0000", () => checkTags("child", ["a\u0000"])],
  ["a child's tag with half a surrogate pair", () => checkTags("child", ["\ud800"])],
  ["a child's empty tag", () => checkTags("child", [""])],
  ["a child's tag that is no text", () => checkTags("child", [7])],
  ["a child's tags that are no list", () => checkTags("child", "red")],
  ["an event's subject with U+0000", () => toCloudEvent("id", { type: "t", subject: "a\u0000" })],
  [
    "an event's subject with half a surrogate pair",
    () => toCloudEvent("id", { type: "t", subject: "\ud800" }),
  ],
])("%s is refused before Postgres would refuse it", (_, use) => {
  expect(use).toThrow(expect.objectContaining({ code: "invalid_step" }));
});

test.each([BRANCH_LIMIT - 1, BRANCH_LIMIT, BRANCH_LIMIT + 1])(
  "of %i steps side by side at most a thousand are branches at once, and all are done (N1)",
  async (width) => {
    const numbers = Array.from({ length: width }, (_, i) => i);
    const run = new SimulatedRun(
      workflowOf((step) => Promise.all(numbers.map((i) => step.run(`part ${i}`, () => i)))),
    );
    await run.turn();
    expect(run.branches).toHaveLength(Math.min(width, BRANCH_LIMIT));
    for (let turns = 1; run.status !== "completed"; turns++) {
      expect(turns).toBeLessThan(4);
      for (const { key } of [...run.branches])
        run.give(key, run.lease(key).branchTurn, Number(key.slice("part ".length)));
      await run.turn();
    }
    expect(run.last?.output?.json).toEqual(numbers);
  },
);
