import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  apiQuery,
  applyQualifiers,
  EMPTY_FILTER,
  isEverything,
  pastedId,
  readFilter,
  SPANS,
  type SpanName,
  writeFilter,
} from "../../../dashboard/src/models/filters.ts";
import { STATUSES } from "../../../dashboard/src/models/status.ts";

const text = fc
  .string({ minLength: 1, maxLength: 20 })
  .filter((value) => value.trim() === value && value !== "");
const filters = fc.record({
  workflow: fc.option(text),
  statuses: fc.subarray([...STATUSES]),
  tags: fc.uniqueArray(text, { maxLength: 4 }),
  within: fc.option(fc.constantFrom(...(Object.keys(SPANS) as SpanName[]))),
  createdAfter: fc.constantFrom(null, "2026-01-01T00:00:00.000Z"),
  createdBefore: fc.constantFrom(null, "2026-02-01T00:00:00.000Z"),
  input: fc.option(fc.record({ path: text, value: text })),
  waitingFor: fc.constantFrom(null, "time", "besides-time", "signal"),
  parent: fc.option(text),
  fingerprint: fc.option(text),
});

describe("a filter in the URL", () => {
  test("comes back as it was written, whatever characters are in it", () => {
    fc.assert(
      fc.property(filters, (filter) => {
        expect(readFilter(new URLSearchParams(writeFilter(filter).toString()))).toEqual(filter);
      }),
    );
  });

  test("is everything only when nothing is left out", () => {
    expect(isEverything(EMPTY_FILTER)).toBe(true);
    expect(isEverything({ ...EMPTY_FILTER, tags: ["eu"] })).toBe(false);
  });

  test("takes what makes no sense as if it were not there", () => {
    const search = new URLSearchParams(
      "status=failed,nonsense&within=3y&createdAfter=soon&waitingFor=godot&input.=1",
    );
    expect(readFilter(search)).toEqual({ ...EMPTY_FILTER, statuses: ["failed"] });
  });
});

describe("a filter for the API", () => {
  const now = Date.parse("2026-01-02T03:04:05.678Z");

  test("asks for the span as an instant at a whole minute, so that the next second asks the same", () => {
    const filter = { ...EMPTY_FILTER, within: "24h" } as const;
    expect(apiQuery(filter, now)).toEqual({ createdAfter: "2026-01-01T03:04:00.000Z" });
    expect(apiQuery(filter, now + 1_000)).toEqual(apiQuery(filter, now));
  });

  test("gives all tags, and the path of the input with its name", () => {
    const filter = { ...EMPTY_FILTER, tags: ["a", "b"], input: { path: "order.id", value: "7" } };
    expect(apiQuery(filter, now)).toEqual({ tag: ["a", "b"], "input.order.id": "7" });
  });
});

describe("what people type", () => {
  test("is read as qualifiers, with quotes around values with spaces", () => {
    expect(
      applyQualifiers(EMPTY_FILTER, 'workflow:remind status:failed,dead tag:"two words" input.a.b:42'),
    ).toEqual({
      ...EMPTY_FILTER,
      workflow: "remind",
      statuses: ["failed", "dead"],
      tags: ["two words"],
      input: { path: "a.b", value: "42" },
    });
  });

  test("is a workflow's name without a qualifier", () => {
    expect(applyQualifiers(EMPTY_FILTER, "fulfil-order").workflow).toBe("fulfil-order");
  });

  test("is refused with what there is, where there is no such thing", () => {
    expect(() => applyQualifiers(EMPTY_FILTER, "colour:red")).toThrow(/no filter "colour".*tag/);
    expect(() => applyQualifiers(EMPTY_FILTER, "status:sad")).toThrow(/no status "sad".*failed/);
  });

  test.each([
    ["01M7YESCS8AV6MMKQKV5JGV9SG", "01M7YESCS8AV6MMKQKV5JGV9SG"],
    ["  01m7yescs8av6mmkqkv5jgv9sg\n", "01M7YESCS8AV6MMKQKV5JGV9SG"],
    [
      "https://pawl.example.com/dashboard/runs/01M7YESCS8AV6MMKQKV5JGV9SG?tab=raw",
      "01M7YESCS8AV6MMKQKV5JGV9SG",
    ],
    ["fulfil-order", null],
    ["01M7YESCS8AV6MMKQKV5JGV9S", null],
  ])("holds a run's id or does not: %j", (typed, id) => {
    expect(pastedId(typed)).toBe(id);
  });
});
