import { describe, expect, test } from "vitest";
import type { RunFilter } from "../../src/engine/reads.ts";
import { encodeCursor } from "../../src/http/cursor.ts";
import { appWith, errorOf, lineWith, NOW, RUN_ID, runWith } from "./support.ts";

interface Asked {
  tenant: string;
  filter: RunFilter;
  limit: number;
  before: string | null;
}

const LISTS = ["/api/runs", "/api/dead-letters"] as const;
const idOf = (i: number) => `01K7Z3QX5V8M2N4P6R8T0W${String(9_999 - i).padStart(4, "0")}`;

/** Both lists over `rows` runs; `asked` is the last question. A search by input looks back to `end`. */
async function lists(rows: number, end: string | null = null) {
  const questions: Asked[] = [];
  const list = async (tenant: string, filter: RunFilter, limit: number, before: string | null) => {
    questions.push({ tenant, filter, limit, before });
    const all = Array.from({ length: rows }, (_, i) => runWith({ runId: idOf(i) }));
    return all.filter(({ runId }) => before === null || runId < before).slice(0, limit);
  };
  const searches: RunFilter[] = [];
  const searchEnd = async (_tenant: string, filter: RunFilter) => {
    searches.push(filter);
    return end;
  };
  const { call } = await appWith({ reads: { runs: list, deadLetters: list, searchEnd } });
  return { call, asked: () => questions.at(-1), searches };
}

test("a search among dead letters looks at no other runs", async () => {
  const { call, searches } = await lists(0);
  await call("/api/dead-letters?input.name=Ada");
  await call("/api/dead-letters?input.name=Ada&status=dead");
  expect(searches.map(({ statuses }) => statuses)).toEqual([["failed", "dead"], ["dead"]]);
});

describe.each(LISTS)("%s", (path) => {
  test("without parameters asks for the first 25 of the tenant's", async () => {
    const { call, asked } = await lists(0);
    expect(await (await call(path)).json()).toEqual({ runs: [], nextCursor: null });
    expect(asked()).toEqual({ tenant: "default", filter: {}, limit: 26, before: null });
  });

  test("hands every filter on", async () => {
    const { call, asked } = await lists(0);
    const query = new URLSearchParams({
      workflow: "echo",
      status: "failed,dead",
      tag: "crème brûlée",
      createdAfter: "2026-01-31T12:00:00Z",
      createdBefore: "2026-01-31T14:00:00+02:00",
      "input.order.id": "7",
      limit: "100",
    });
    expect((await call(`${path}?${query}&status=ready`)).status).toBe(200);
    expect(asked()).toEqual({
      tenant: "default",
      filter: {
        workflow: "echo",
        statuses: ["failed", "dead", "ready"],
        tags: ["crème brûlée"],
        createdAfter: NOW,
        createdBefore: NOW,
        input: { path: ["order", "id"], value: "7" },
      },
      limit: 101,
      before: null,
    });
  });

  test("an input filter is data, whatever it spells", async () => {
    const { call, asked } = await lists(0);
    const odd = `x' or 1=1 --{}"\\$.**%_`;
    await call(`${path}?${new URLSearchParams({ 'input.__proto__.{"a"},b\\': odd })}`);
    expect(asked()?.filter.input).toEqual({ path: ["__proto__", '{"a"},b\\'], value: odd });
    await call(`${path}?input.name=`);
    expect(asked()?.filter.input).toEqual({ path: ["name"], value: "" });
  });

  test("a search by input looks back so far at a time, and its next page goes on from there", async () => {
    const { call, asked } = await lists(0, idOf(30));
    const page = await (await call(`${path}?input.name=Ada`)).json();
    expect(asked()?.filter).toEqual({ input: { path: ["name"], value: "Ada" }, oldest: idOf(30) });
    expect(page).toEqual({ runs: [], nextCursor: encodeCursor(idOf(30)) });
  });

  test("a search by input that finds more than a page goes on after it", async () => {
    const { call } = await lists(11, idOf(30));
    expect(await (await call(`${path}?input.name=Ada&limit=10`)).json()).toMatchObject({
      nextCursor: encodeCursor(idOf(9)),
    });
  });

  test("only a search by input asks how far it may look", async () => {
    const { call, searches } = await lists(3, idOf(30));
    await call(`${path}?workflow=echo&limit=2`);
    expect(searches).toEqual([]);
  });

  test.each([
    ["limit=0", "limit"],
    ["limit=101", "limit"],
    ["limit=-1", "limit"],
    ["limit=1e1", "limit"],
    ["limit=", "limit"],
    ["limit=2&limit=3", "limit"],
    ["status=done", "status"],
    ["status=", "status"],
    ["status=failed,", "status"],
    ["workflow=", "workflow"],
    ["workflow=%00", "workflow"],
    ["tag=a%00", "tag"],
    [`tag=${"x".repeat(101)}`, "tag"],
    ["createdAfter=yesterday", "createdAfter"],
    ["createdAfter=2026-02-30T00:00:00Z", "createdAfter"],
    ["createdBefore=2026-01-31", "createdBefore"],
    ["createdBefore=1769860800000", "createdBefore"],
    ["state=failed", "state"],
    ["__proto__=1", "__proto__"],
    ["constructor=1", "constructor"],
    ["input=1", "input"],
    ["input.=1", "path"],
    ["input.a..b=1", "path"],
    ["input.a%00=1", "path"],
    ["input.a=%00", "value"],
    [`input.${Array(11).fill("a").join(".")}=1`, "path"],
    ["input.a=1&input.b=2", "input.b: only one"],
    ["input.a=1&input.a=2", "input.a"],
  ])("?%s is refused, naming %s", async (query, named) => {
    const { call, asked } = await lists(0);
    const refusal = await errorOf(await call(`${path}?${query}`));
    expect(refusal).toMatchObject({ status: 400, code: "invalid_request" });
    expect(refusal.message).toContain(named);
    expect(asked()).toBeUndefined();
  });

  test("pages follow each other without a gap or a repeat, and the last one has no cursor", async () => {
    const { call } = await lists(23);
    const seen: string[] = [];
    let pages = 0;
    for (let cursor: string | null = ""; cursor !== null; pages++) {
      const query: string = cursor === "" ? "limit=10" : `limit=10&cursor=${cursor}`;
      const page = (await (await call(`${path}?${query}`)).json()) as {
        runs: { id: string }[];
        nextCursor: string | null;
      };
      seen.push(...page.runs.map(({ id }) => id));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(Array.from({ length: 23 }, (_, i) => idOf(i)));
    expect(pages).toBe(3);
  });

  test("a page that is just full is the last when there is no more", async () => {
    const { call } = await lists(10);
    expect(await (await call(`${path}?limit=10`)).json()).toMatchObject({ nextCursor: null });
    expect(await (await call(`${path}?limit=9`)).json()).toMatchObject({ nextCursor: encodeCursor(idOf(8)) });
  });
});

const GOOD = encodeCursor(RUN_ID);
const BAD_CURSORS = [
  "",
  RUN_ID,
  "%00",
  "!!!",
  encodeCursor("7"),
  encodeCursor(RUN_ID.toLowerCase()),
  encodeCursor(`${RUN_ID}A`),
  encodeCursor(`8${RUN_ID.slice(1)}`),
  encodeCursor("' or 1=1 --"),
  `${GOOD}=`,
  `${GOOD}%20`,
  GOOD.slice(0, -1),
];

describe("a cursor that no list gave is refused", () => {
  test.each(LISTS.flatMap((path) => BAD_CURSORS.map((cursor) => [path, cursor])))(
    "%s?cursor=%s",
    async (path, cursor) => {
      const { call, asked } = await lists(0);
      const refusal = await errorOf(await call(`${path}?cursor=${cursor}`));
      expect(refusal).toMatchObject({ status: 400, code: "invalid_cursor" });
      expect(asked()).toBeUndefined();
    },
  );

  test.each([
    "",
    GOOD,
    encodeCursor("-1"),
    encodeCursor("01"),
    encodeCursor("1.5"),
    encodeCursor("9999999999"),
  ])("a journal's cursor %s", async (cursor) => {
    const { call } = await appWith();
    const refusal = await errorOf(await call(`/api/runs/${RUN_ID}/journal?cursor=${cursor}`));
    expect(refusal).toMatchObject({ status: 400, code: "invalid_cursor" });
  });
});

describe("a run's journal", () => {
  async function journalOf(lines: number) {
    return appWith({
      reads: {
        journal: async (_ref, limit, after) =>
          Array.from({ length: lines }, (_, i) => lineWith({ seq: i + 1 }))
            .filter(({ seq }) => seq > after)
            .slice(0, limit),
      },
    });
  }

  test("comes in pages, oldest first", async () => {
    const { call } = await journalOf(3);
    const path = `/api/runs/${RUN_ID}/journal`;
    type Page = { entries: { seq: number }[]; nextCursor: string | null };
    const first = (await (await call(`${path}?limit=2`)).json()) as Page;
    expect(first.entries.map(({ seq }) => seq)).toEqual([1, 2]);
    const second = (await (await call(`${path}?limit=2&cursor=${first.nextCursor}`)).json()) as Page;
    expect(second.entries.map(({ seq }) => seq)).toEqual([3]);
    expect(second.nextCursor).toBeNull();
  });

  test("may be empty", async () => {
    const { call } = await journalOf(0);
    expect(await (await call(`/api/runs/${RUN_ID}/journal`)).json()).toEqual({
      entries: [],
      nextCursor: null,
    });
  });

  test.each(["after=1", "limit=0", "seq=1"])("refuses ?%s", async (query) => {
    const { call } = await journalOf(0);
    expect((await errorOf(await call(`/api/runs/${RUN_ID}/journal?${query}`))).code).toBe("invalid_request");
  });
});
