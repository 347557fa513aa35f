import { describe, expect, test } from "vitest";
import { formatBytes } from "../../../dashboard/src/models/bytes.ts";
import { curlOf } from "../../../dashboard/src/models/curl.ts";
import { keyName } from "../../../dashboard/src/models/keys.ts";
import { listInterval, runInterval } from "../../../dashboard/src/models/polling.ts";
import { allows, lookOf, STATUSES } from "../../../dashboard/src/models/status.ts";
import { stepCellOf } from "../../../dashboard/src/models/step-cell.ts";
import { formatInstant, formatRelative, formatSpan, formatTick } from "../../../dashboard/src/models/time.ts";
import { at, row } from "./samples.ts";

describe("a span", () => {
  test.each([
    [-5, "0 ms"],
    [12, "12 ms"],
    [4_150, "4.2 s"],
    [14_200, "14 s"],
    [185_000, "3 min 5 s"],
    [120_000, "2 min"],
    [22_320_000, "6 h 12 min"],
    [352_800_000, "4 d 2 h"],
  ])("of %i ms is %s", (ms, words) => {
    expect(formatSpan(ms)).toBe(words);
  });
});

describe("an instant", () => {
  const now = Date.parse("2026-11-21T10:00:00Z");

  test.each([
    [-2_000, "now"],
    [-90_000, "1 min ago"],
    [3 * 3_600_000, "in 3 h"],
    [-6 * 86_400_000, "6 d ago"],
  ])("at a distance of %i ms is %s", (distance, words) => {
    expect(formatRelative(now + distance, now)).toBe(words);
  });

  test("in UTC says so, and names the year where it is not this one's", () => {
    expect(formatInstant(now, "utc", now)).toBe("Nov 21, 10:00:00 UTC");
    expect(formatInstant(Date.parse("2024-11-21T00:00:00Z"), "utc", now)).toBe("Nov 21, 2024, 00:00:00 UTC");
  });
});

test("the tick of an axis is a time of day, and at midnight the day", () => {
  expect(formatTick(Date.parse("2026-11-21T14:30:00Z"), "utc")).toBe("14:30");
  expect(formatTick(Date.parse("2026-11-21T00:00:00Z"), "utc")).toBe("Nov 21");
});

describe("where a run stands", () => {
  const failure = { name: "StepFailed", code: "step_failed", message: "outer", step: "charge" };

  test("is told of a failed run by the step and the root of its failure", () => {
    const cause = { name: "CardDeclined", code: "error", message: "no money" };
    const cell = stepCellOf(row({ status: "failed", failure: { ...failure, cause } }));
    expect(cell).toEqual({ step: "charge", detail: "CardDeclined: no money", at: null, bad: true });
  });

  test("is told of a sleeping run by the end of its sleep, of a waiting one by what it waits for", () => {
    const waitsFor = { key: "nap", name: null, until: at(5), others: 0 };
    const sleeping = row({ status: "waiting", waitsFor: { ...waitsFor, kind: "sleep" } });
    expect(stepCellOf(sleeping)).toMatchObject({ step: "nap", detail: "wakes", at: at(5) });
    const waiting = row({
      status: "waiting",
      waitsFor: { ...waitsFor, kind: "signal", name: "paid", others: 2 },
    });
    expect(stepCellOf(waiting)).toMatchObject({ detail: "waits for signal paid and 2 more", at: null });
  });

  test("is told of a run between two attempts by what went wrong", () => {
    const last = {
      kind: "step",
      key: "charge",
      outcome: "retrying",
      attempt: 2,
      recordedAt: at(0),
      retryAt: null,
    } as const;
    const cell = stepCellOf(
      row({ status: "ready", last: { ...last, failure: { name: "Error", message: "503" } } }),
    );
    expect(cell).toMatchObject({ step: "charge", detail: "attempt 2 failed: 503", bad: true });
  });
});

describe("a status", () => {
  test("has a word, an icon and a tone, and no two have the same word", () => {
    expect(new Set(STATUSES.map((status) => lookOf(status).word)).size).toBe(STATUSES.length);
  });

  test("allows what the API allows", () => {
    expect(STATUSES.filter((status) => allows("cancel", status))).toEqual([
      "ready",
      "running",
      "waiting",
      "paused",
    ]);
    expect(STATUSES.filter((status) => allows("revive", status))).toEqual(["failed", "dead"]);
  });
});

describe("asking again", () => {
  test("ends with the run", () => {
    expect(runInterval("running")).toBe(2_000);
    expect(runInterval("completed")).toBe(false);
    expect(runInterval(undefined)).toBe(false);
  });

  test("is slower in a list, the less happens in it", () => {
    const intervals = [["running", "completed"], ["waiting"], ["completed"], []] as const;
    expect(intervals.map((statuses) => listInterval(statuses))).toEqual([5_000, 15_000, 60_000, 5_000]);
  });
});

describe("keys", () => {
  test("are one, or one after the other", () => {
    expect(keyName("?", null)).toBe("?");
    expect(keyName("g", null)).toBe("pending");
    expect(keyName("d", "g")).toBe("g d");
    expect(keyName("z", "g")).toBeNull();
  });

  test("that end no pair are keys of their own", () => {
    expect(keyName("j", "g")).toBe("j");
  });
});

describe("other words", () => {
  test.each([
    [0, "0 B"],
    [14_000, "14 KB"],
    [2_100_000, "2.1 MB"],
  ])("%i bytes are %s", (bytes, words) => {
    expect(formatBytes(bytes)).toBe(words);
  });

  test("a curl line survives a shell, whatever is in its body", () => {
    expect(curlOf("http://x", "POST", "/a", `{"a":"it's $HOME"}`)).toContain(`'{"a":"it'\\''s $HOME"}'`);
    expect(curlOf("http://x", "GET", "/a")).toBe(`curl 'http://x/a' -H "authorization: Bearer $PAWL_TOKEN"`);
  });
});
