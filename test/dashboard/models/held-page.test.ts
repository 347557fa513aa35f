import { describe, expect, test } from "vitest";
import { heldPage, newerThan } from "../../../dashboard/src/models/held-page.ts";

const page = (ids: string, nextCursor: string | null = null, status = "running") => ({
  runs: [...ids].map((id) => ({ id, status })),
  nextCursor,
});

describe("a list that is held", () => {
  test("shows its rows as they are now, and leaves newer ones out", () => {
    expect(heldPage(page("cba"), page("edcba", null, "completed"))).toEqual(page("cba", null, "completed"));
    expect(newerThan(page("cba"), page("edcba"))).toEqual({ count: 2, exact: true });
  });

  test("keeps what newer runs have pushed out of the answer, and goes on behind it", () => {
    const { runs, nextCursor } = heldPage(page("dcb", "after b"), page("fed", "after d", "completed"));
    expect(runs.map(({ id, status }) => id + status)).toEqual(["dcompleted", "crunning", "brunning"]);
    expect(nextCursor).toBe("after b");
  });

  test("loses what no longer matches, and gets what moves up for it", () => {
    expect(heldPage(page("dcb", "after b"), page("eca", "after a"))).toEqual(page("ca", "after a"));
    expect(heldPage(page("dcb", "after b"), page("ed"))).toEqual(page("d"));
  });

  test("does not say that all newer runs are counted where a whole page of them is", () => {
    expect(newerThan(page("ba", "after a"), page("dc", "after c"))).toEqual({ count: 2, exact: false });
  });
});
