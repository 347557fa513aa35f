/** Values through the codec and a real Postgres, and what must never reach it. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decode, encode, type Json } from "../../src/engine/codec.ts";
import { decideDead } from "../../src/engine/decide.ts";
import { toFailure } from "../../src/engine/failure.ts";
import type { Entry } from "../../src/engine/journal.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { type Bed, postgresStore, toBed } from "./support/bed.ts";
import { boom, decision, entry, failedEntry, LEASE, newRun, only } from "./support/builders.ts";

let database: TestDatabase;
let bed: Bed;
beforeAll(async () => {
  database = await createDatabase();
  bed = toBed(await postgresStore(database));
});
afterAll(() => database.drop());

/** How the values come back from each of the places where a value is stored and read. */
async function throughPostgres(values: readonly unknown[]): Promise<unknown[][]> {
  const encoded = values.map((value) => encode(value, "the value"));
  const runs = encoded.map((input) => newRun({ input }));
  await bed.store.startRuns("default", runs);
  const refs = runs.map(({ id }) => ({ tenant: "default", runId: id }));
  const order = (claimed: readonly { runId: string }[]) =>
    refs.map(({ runId }) => only(claimed.filter((run) => run.runId === runId)));
  const first = (await bed.store.claimRuns(refs, LEASE)).claimed;
  const commits = first.map((run) => {
    const output = encoded[runs.findIndex(({ id }) => id === run.runId)] ?? null;
    return decision(run, { entries: [entry(1, { output })] });
  });
  await bed.store.commitTurns(commits);
  const second = (await bed.store.claimRuns(refs, LEASE)).claimed;
  const ends = second.map((run) =>
    decision(run, {
      status: "completed",
      output: encoded[runs.findIndex(({ id }) => id === run.runId)] ?? null,
    }),
  );
  await bed.store.commitTurns(ends);
  order(second);
  return Promise.all(
    refs.map(async (ref) => {
      const claimed = only(second.filter((run) => run.runId === ref.runId));
      const seen = await bed.see(ref);
      const [line] = (await bed.reads.journal(ref, 1, 0)) ?? [];
      const stored = [
        claimed.input,
        only(claimed.journal as Entry[]).output,
        seen.input,
        seen.output,
        line?.output,
      ];
      return stored.map((one) => (one ? decode(one) : "nothing was stored"));
    }),
  );
}

/** What the codec takes, as deep and as odd as fast-check makes it. */
const text = fc.string({ unit: "binary" }).filter((s) => s.isWellFormed() && !s.includes("\u0000"));
const key = fc.oneof(
  text,
  fc.constantFrom("toString", "", "a.b", "a\\.b", "1", "10", "2", "é", "ab", "json", "meta"),
);
/** Beside values that JSON cannot say, the codec refuses these; alone it takes them. */
const REFUSED = ["__proto__", "constructor", "prototype"];
const plainKey = fc.oneof(key, fc.constantFrom(...REFUSED));
const leaf = fc.oneof(
  text,
  fc.boolean(),
  fc.integer(),
  fc.double(),
  fc.constantFrom(
    null,
    undefined,
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.MAX_SAFE_INTEGER,
    5e-324,
    1.7976931348623157e308,
  ),
  fc.bigInt(),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ maxLength: 20 }),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 5 }),
    entriesOf(tie("value")).map((entries) => Object.fromEntries(entries)),
    entriesOf(tie("value")).map((entries) => new Map(entries)),
    fc.array(leaf, { maxLength: 5 }).map((items) => new Set(items)),
  ),
}));
function entriesOf(item: fc.Arbitrary<unknown>) {
  return fc.uniqueArray(
    fc.tuple(
      key.filter((name) => !REFUSED.includes(name)),
      item,
    ),
    { maxLength: 6, selector: ([name]) => name },
  );
}
/** What JSON can say: this is stored as it is. */
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: "small" },
    text,
    fc.boolean(),
    fc.constant(null),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
    fc.array(tie("json"), { maxLength: 5 }),
    fc
      .uniqueArray(fc.tuple(plainKey, tie("json")), { maxLength: 8, selector: ([name]) => name })
      .map((entries) => Object.fromEntries(entries)),
  ),
}));

describe("a value comes back from Postgres as it was (H3)", () => {
  test.each<[string, unknown]>([
    ["null", null],
    ["undefined", undefined],
    ["an empty string", ""],
    ["minus zero", -0],
    ["NaN", Number.NaN],
    ["minus infinity", Number.NEGATIVE_INFINITY],
    ["the largest number", Number.MAX_VALUE],
    ["the smallest number", Number.MIN_VALUE],
    ["2^53 + 2", 2 ** 53 + 2],
    ["a BigInt", 2n ** 80n],
    ["a date", new Date(1_700_000_000_123)],
    ["a date before Christ", new Date(-1e14)],
    [
      "a map with odd keys",
      new Map<unknown, unknown>([
        [1, "one"],
        ["1", new Date(1)],
        [null, undefined],
      ]),
    ],
    ["a set", new Set([1, "1", null, -0])],
    ["bytes", new Uint8Array([0, 1, 255])],
    ["no bytes", new Uint8Array()],
    [
      "an object of odd keys (H9)",
      {
        ...JSON.parse('{"__proto__": {"isAdmin": true}}'),
        constructor: 1,
        "": 2,
        "a.b": 3,
        "1": 4,
        toString: 5,
      },
    ],
    [
      "special values below odd keys",
      { "a.b": { "": new Date(1), "1": [undefined, 1n], "x\\y": new Set([1]) } },
    ],
    ["emoji, right-to-left and combining (H2)", "👩‍👩‍👧 \u202Eabc e\u0301 \uFEFF"],
    ["a line of a megabyte less the quotes (H2)", "x".repeat(999_998)],
    ["a regular expression", /a+b/gi],
    ["a link", new URL("https://example.com/a?b=c#d")],
    ["deep arrays", Array.from({ length: 400 }).reduce<unknown>((inner) => [inner], "core")],
    ["ten thousand keys (H9)", Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`key ${i}`, i]))],
  ])("%s", async (_, given) => {
    const [copies = []] = await throughPostgres([given]);
    expect(copies).toHaveLength(5);
    for (const copy of copies) expect(copy).toEqual(given);
    expect(Object.hasOwn(Object.prototype, "isAdmin")).toBe(false);
  });

  test("whatever the codec takes (H13)", async () => {
    const batch = fc.array(value, { minLength: 25, maxLength: 25, size: "max" });
    await fc.assert(
      fc.asyncProperty(batch, async (values) => {
        const all = await throughPostgres(values);
        all.forEach((copies, i) => {
          const direct = decode(encode(values[i], "the value"));
          for (const copy of copies) {
            expect(copy).toEqual(direct);
            expect(orderOf(copy)).toBe(orderOf(direct));
            expect(copy).toEqual(values[i]);
          }
        });
      }),
      { numRuns: 20 },
    );
  });
});

/** As text, in the order in which a workflow would go over it. */
function orderOf(item: unknown): string {
  return (
    JSON.stringify(item, (_, inner: unknown) => {
      if (inner instanceof Map || inner instanceof Set) return [...inner];
      return typeof inner === "bigint" ? String(inner) : inner;
    }) ?? "undefined"
  );
}

describe("encode puts the keys of an object into the order of jsonb", () => {
  const asPostgres = async (values: readonly Json[]): Promise<string[]> => {
    const rows = await database.rows<{ json: string }>(
      "select value::text as json from jsonb_array_elements($1::jsonb) with ordinality e (value, i) order by i",
      [JSON.stringify(values)],
    );
    return rows.map(({ json }) => json);
  };
  /** Keys in the order in which they stand in the text. */
  const keys = (item: Json): unknown => {
    if (Array.isArray(item)) return item.map(keys);
    if (typeof item !== "object" || item === null) return null;
    return Object.entries(item).map(([name, inner]) => [name, keys(inner as Json)]);
  };

  test("for whatever object", async () => {
    const batch = fc.array(json, { minLength: 50, maxLength: 50, size: "max" });
    await fc.assert(
      fc.asyncProperty(batch, async (values) => {
        const encoded = values.map((item) => encode(item, "the value"));
        expect(encoded.every(({ meta }) => meta === null)).toBe(true);
        const stored = await asPostgres(encoded.map((item) => item.json));
        stored.forEach((found, i) => {
          expect(keys(JSON.parse(found) as Json)).toEqual(keys(encoded[i]?.json ?? null));
        });
      }),
      { numRuns: 60 },
    );
  });

  test("also for keys of several bytes, and however they were put together", async () => {
    const names = ["b", "a", "é", "ab", "aa", "", "ü", "日", "zz", "😀", "\uFFFD", "~~", "\u007f", "Z"];
    const one = encode(Object.fromEntries(names.map((name) => [name, 1])), "x");
    const other = encode(Object.fromEntries(names.toReversed().map((name) => [name, 1])), "x");
    expect(JSON.stringify(one.json)).toBe(JSON.stringify(other.json));
    const [found = ""] = await asPostgres([one.json]);
    expect(Object.keys(JSON.parse(found) as object)).toEqual(Object.keys(one.json as object));
  });
});

describe("a failure is always stored, whatever its text (H4)", () => {
  const nasty = [
    "\u0000",
    "a\u0000b",
    "\ud800",
    "\udc00 first",
    "cut \ud83d",
    `${"x".repeat(3_999)}😀`,
    "\\u0000",
    "\\",
    '"',
    "\u202E\uFEFF\u2028",
    "x".repeat(10_000_000),
    "",
  ];

  test.each(nasty.map((message) => [JSON.stringify(message).slice(0, 30), message]))(
    "%s",
    async (_, message) => {
      const cause = Object.assign(new Error(message), { name: message, code: message, stack: message });
      const thrown = [
        new Error(message, { cause }),
        cause,
        message,
        { message, code: message },
        new AggregateError([cause], message),
      ];
      for (const one of thrown) {
        const run = await bed.startAndClaim();
        const failure = toFailure(one);
        const entries = [failedEntry(1, { failure })];
        expect(await bed.commit([decision(run, { status: "failed", failure, entries })])).toHaveLength(1);
        const seen = await bed.see(run);
        expect(seen.failure).toEqual(failure);
        expect((await bed.reads.journal(run, 1, 0))?.[0]?.failure).toEqual(failure);
        expect(await bed.store.reviveRun(run)).toMatchObject({ result: "revived" });
        const again = await bed.claim(run);
        const dead = decideDead(again, one instanceof Error ? one : new Error(message));
        expect(await bed.commit([dead])).toHaveLength(1);
      }
    },
  );

  test("whatever was thrown (H4)", async () => {
    const anything = fc.anything({
      key: fc.string({ unit: "binary" }),
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSparseArray: true,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            anything,
            fc.string({ unit: "binary" }).map((m) => new Error(m)),
          ),
          { maxLength: 20 },
        ),
        async (thrown) => {
          const runs = [];
          for (const _ of thrown) runs.push(await bed.startAndClaim());
          const failures = thrown.map((one) => toFailure(one));
          const decisions = runs.map((run, i) =>
            decision(run, { status: "failed", failure: failures[i] ?? boom }),
          );
          expect(await bed.commit(decisions)).toHaveLength(runs.length);
          for (const [i, run] of runs.entries()) expect((await bed.see(run)).failure).toEqual(failures[i]);
        },
      ),
      { numRuns: 25 },
    );
  });
});
