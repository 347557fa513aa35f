import { describe, expect, test } from "vitest";
import { isProblem, queuedMs, rowsOf, workedMs } from "../../../dashboard/src/models/waterfall.ts";
import { at, line, runDetail, START } from "./samples.ts";

const over = runDetail();

describe("rows of a timeline", () => {
  test("stand in the order in which they began, with the time in the queue apart from the work", () => {
    const rows = rowsOf(
      [line("b", 30, 50, { queuedAt: at(20) }), line("a", 5, 10, { queuedAt: at(0) })],
      over,
      0,
    );
    expect(rows.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(rows.map(queuedMs)).toEqual([5, 10]);
    expect(rows.map(workedMs)).toEqual([5, 20]);
  });

  test("hold all attempts of a step, with the rest before each retry, which ends when that begins", () => {
    const lines = [
      line("charge", 0, 10, { outcome: "retrying", retryAt: at(1_000) }),
      line("charge", 800, 820, { attempt: 2 }),
    ];
    const [row] = rowsOf(lines, over, 0);
    expect(row?.spans.map(({ kind, from, to, failed }) => [kind, from - START, to - START, failed])).toEqual([
      ["executing", 0, 10, true],
      ["backoff", 10, 800, false],
      ["executing", 800, 820, false],
    ]);
    expect(row).toMatchObject({ attempts: 2, state: "completed" });
    expect(row && isProblem(row)).toBe(true);
  });

  test("show a step that is undone apart from the step itself", () => {
    const rows = rowsOf([line("book", 0, 5), line("book", 20, 25, { kind: "compensation" })], over, 0);
    expect(rows.map(({ name }) => name)).toEqual(["book", "undo book"]);
  });

  test("put the items of a map and the rounds of a loop together, with the worst of their states", () => {
    const items = Array.from({ length: 6 }, (_, i) => line(`page[${i}]`, i, i + 1));
    const rounds = Array.from({ length: 5 }, (_, i) =>
      line(i === 0 ? "import" : `import#${i + 1}`, 10 + i, 11 + i),
    );
    const failed = line("import#6", 20, 21, { outcome: "failed" });
    const rows = rowsOf([...items, ...rounds, failed], over, 0);
    expect(rows.map(({ name, state, items }) => [name, state, items.length])).toEqual([
      ["page", "completed", 6],
      ["import", "failed", 6],
    ]);
  });

  test("leave a few rounds as they are", () => {
    expect(rowsOf([line("a", 0, 1), line("a#2", 2, 3)], over, 0)).toHaveLength(2);
  });
});

describe("what is under way", () => {
  test("reaches to now: a sleep with what is planned, a wait, a queued branch, an executing one, the turn", () => {
    const run = runDetail({
      status: "running",
      sleeps: [{ key: "nap", begunAt: at(0), dueAt: at(500) }],
      waits: [{ key: "paid", kind: "signal", name: "paid", begunAt: at(10), dueAt: null }],
      branches: [
        {
          key: "queued",
          attempt: 1,
          leased: false,
          wakeAt: null,
          begunAt: at(20),
          attemptBegunAt: null,
          failures: [],
        },
        {
          key: "busy",
          attempt: 1,
          leased: true,
          wakeAt: null,
          begunAt: at(30),
          attemptBegunAt: at(40),
          failures: [],
        },
      ],
      turnBegunAt: at(60),
    });
    const rows = rowsOf([], run, START + 100);
    const spans = (name: string) =>
      rows
        .find((row) => row.name === name)
        ?.spans.map(({ kind, from, to, live }) => [kind, from - START, to - START, live]);
    expect(spans("nap")).toEqual([
      ["waiting", 0, 100, true],
      ["planned", 100, 500, false],
    ]);
    expect(spans("paid")).toEqual([["waiting", 10, 100, true]]);
    expect(spans("queued")).toEqual([["queued", 20, 100, true]]);
    expect(spans("busy")).toEqual([
      ["queued", 30, 40, false],
      ["executing", 40, 100, true],
    ]);
    expect(spans("This turn")).toEqual([["executing", 60, 100, true]]);
    expect(rows.every(isProblem)).toBe(true);
  });

  test("begins when it began, also where the viewer's clock is behind", () => {
    const run = runDetail({
      status: "waiting",
      sleeps: [{ key: "nap", begunAt: at(600_000), dueAt: at(900_000) }],
    });
    const rows = rowsOf([line("before", 599_000, 600_000)], run, START);
    expect(rows.map(({ name, from }) => [name, from - START])).toEqual([
      ["before", 599_000],
      ["nap", 600_000],
    ]);
  });

  test("is nothing once the run is over", () => {
    const run = runDetail({ status: "failed", sleeps: [{ key: "nap", begunAt: at(0), dueAt: at(500) }] });
    expect(rowsOf([], run, START)).toEqual([]);
  });
});
