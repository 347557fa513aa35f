/**
 * Values that mean harm, in every field, path, header and parameter, on a real Postgres: never a 5xx, and of what is
 * refused nothing is stored (K1, H1, H10, S14). What is asked of every route is made from the samples.
 */
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Json } from "../../src/engine/codec.ts";
import { defineGraph } from "../../src/engine/graph.ts";
import { digestToken } from "../../src/http/auth.ts";
import { startRuns } from "../../src/runtime/start-runs.ts";
import { createLiveApp, type LiveApp } from "./live.ts";
import { REQUESTS, SAMPLES, spellingsOf } from "./samples.ts";
import { echo, errorOf, RUN_ID, serve, TOKEN } from "./support.ts";

/** Any code unit, halves of surrogate pairs too. */
const unit = fc.nat({ max: 0xffff }).map((code) => String.fromCharCode(code));

/** The graph that the sample of appending steps fits. */
const growing = defineGraph({
  name: "growing",
  steps: { first: { run: () => 1 }, second: { run: () => 2 }, gate: { gate: true } },
  handlers: { work: ({ payload }) => payload },
});

let app: LiveApp;
let call: ReturnType<typeof serve>["call"];
let tables: readonly string[];
const reported: unknown[] = [];

beforeAll(async () => {
  app = await createLiveApp([growing, echo]);
  const runtime = { ...app.runtime, report: (...what: unknown[]) => void reported.push(what) };
  const rows = await app.database.rows<{ name: string }>(
    `select 'pawl.' || table_name as name from information_schema.tables
     where table_schema = 'pawl' and table_type = 'BASE TABLE' and table_name <> 'migrations'`,
  );
  tables = rows.map(({ name }) => name);
  ({ call } = serve({ unready: null, runtime, tokens: { admin: await digestToken(TOKEN), read: null } }));
});
beforeEach(async () => {
  reported.length = 0;
  await startAs("default", RUN_ID);
});
afterEach(async () => {
  expect(reported).toEqual([]);
  expect("isAdmin" in {}).toBe(false);
  expect(await app.database.rows("select * from pawl.stuck_runs")).toEqual([]);
  // Nearly all of them are empty: truncating them would take most of the time of these tests.
  await app.database.rows(tables.map((name) => `delete from ${name}`).join(";"));
});
afterAll(() => app?.stop());

async function startAs(tenant: string, id: string): Promise<void> {
  const runtime = { ...app.runtime, newRunId: () => id };
  await startRuns(runtime, tenant, [{ workflow: "growing", input: null }]);
}

/** All that is stored, to be compared. */
async function stored(): Promise<unknown> {
  const each = tables.map(
    (name) => `select '${name}' as name, (select json_agg(t order by t::text) from ${name} t) as rows`,
  );
  return app.database.rows(each.join(" union all "));
}

const POSTING = Object.entries(SAMPLES).flatMap(([route, { path, body, given = {} }]) =>
  body === undefined ? [] : [{ route, path, body: body as Json, given }],
);

let requests = 0;

/** With keys that nobody has used: a request that is known already goes no further. */
function post(path: string, body: unknown, given: Readonly<Record<string, string>>): Promise<Response> {
  const keys = Object.entries(given).map(([name, key]) => [name, `${key}-${++requests}`]);
  const headers = { ...Object.fromEntries(keys), "content-type": "application/json" };
  return call(path, { method: "POST", body: JSON.stringify(body), headers });
}

/** The value with each of its leaves replaced in turn. */
function replacing(value: Json, by: Json): Json[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, i) => replacing(item, by).map((other) => value.with(i, other)));
  }
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([key, item]) =>
      replacing(item, by).map((other) => ({ ...value, [key]: other })),
    );
  }
  return [by];
}

/** The value with one key more in each of its objects in turn. */
function adding(value: Json, key: string): Json[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, i) => adding(item, key).map((other) => value.with(i, other)));
  }
  if (typeof value !== "object" || value === null) return [];
  const within = Object.entries(value).flatMap(([name, item]) =>
    adding(item, key).map((other) => ({ ...value, [name]: other })),
  );
  return [{ ...value, [key]: 1 }, ...within];
}

const UNSTORABLE = ["\u0000", "a\u0000b", "\ud800", "\udc00a"];

describe("text that Postgres cannot store is refused wherever it stands, and nothing is stored", () => {
  test.each(POSTING)("$route", async ({ path, body, given }) => {
    const before = await stored();
    const bodies = UNSTORABLE.flatMap((text) => [...replacing(body, text), ...adding(body, text)]);
    for (const each of bodies) {
      const { status, code } = await errorOf(await post(path, each, given));
      expect([JSON.stringify(each), status, code]).toEqual([
        JSON.stringify(each),
        expect.toSatisfy((given: number) => given === 400 || given === 422),
        expect.stringMatching(/^(invalid_request|unstorable_value|invalid_duration|invalid_signal_name)$/),
      ]);
    }
    expect(await stored()).toEqual(before);
  });
});

const ODD: readonly Json[] = [
  ...["", " ", "x".repeat(10_000), "\u202e\u200d👩‍👩‍👧", "\ufffe\uffff", "\\u0000", "NaN", "a#b"],
  ...["'); drop table pawl.runs; --", "$1", "{a,b}", "{{7*7}}"],
  ...["9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "2030-13-45T99:99:99Z", "-9999 days"],
  ...[0, -1, 0.5, 2 ** 31, 2 ** 53, 1e308, 5e-324, null, true],
  ...[[], {}, { $ne: null }, { constructor: { prototype: { isAdmin: true } } }],
  JSON.parse('{"__proto__":{"isAdmin":true}}'),
];

describe("odd values in any field are no fault of ours", () => {
  test.each(POSTING)("$route", async ({ path, body, given }) => {
    for (const each of ODD.flatMap((value) => replacing(body, value))) {
      const { status } = await post(path, each, given);
      expect([status, JSON.stringify(each).slice(0, 1_000)]).toEqual([lessThan(500), expect.anything()]);
    }
  });

  test.each(POSTING)("any JSON: $route", async ({ path, body, given }) => {
    const value = fc.jsonValue({ stringUnit: unit, maxDepth: 3 }) as fc.Arbitrary<Json>;
    const anywhere = value.chain((json) => fc.constantFrom(json, ...replacing(body, json)));
    await fc.assert(
      fc.asyncProperty(anywhere, async (json) => {
        expect((await post(path, json, given)).status).toBeLessThan(500);
      }),
      { numRuns: 10 },
    );
  });
});

const PATHS = REQUESTS.map((request) => ({
  ...request,
  /** The sample's path with each of its parameters replaced in turn. */
  with: (value: string) => {
    const parts = request.path.split("/");
    return (request.route.split(" ")[1] ?? "")
      .split("/")
      .flatMap((part, i) => (part.startsWith(":") ? [parts.with(i, value).join("/")] : []));
  },
}));

describe("odd paths are no fault of ours", () => {
  const values = [
    "%00",
    "a%00b",
    "%ed%a0%80",
    "%ff",
    "%",
    "%zz",
    "%2e%2e",
    "..%2f..%2f",
    "%27%20or%201=1--",
    "%23",
    "a%23b",
  ].concat([
    "__proto__",
    "constructor",
    "toString",
    "%20",
    "%F0%9F%92%A9",
    "x".repeat(5_000),
    "%0d%0aX-Injected:1",
    "$1",
    "0",
  ]);

  test.each(PATHS)("$route", async ({ path, init, with: withValue }) => {
    const paths = [...spellingsOf(path), ...values.flatMap(withValue)];
    for (const each of paths) {
      const response = await call(each, init);
      expect([each, response.status]).toEqual([each, lessThan(500)]);
      expect(response.headers.get("x-injected")).toBeNull();
    }
  });
});

describe("an odd key in a header is refused, and nothing is stored", () => {
  const keyed = POSTING.flatMap(({ given, ...sample }) =>
    Object.keys(given).map((name) => ({ ...sample, name })),
  );

  test.each(keyed)("$name of $route", async ({ path, body, name }) => {
    const before = await stored();
    for (const key of ["", " ", "x".repeat(201), "x".repeat(100_000), "é", "\u00ff", "a\tb"]) {
      const headers = { "content-type": "application/json", [name]: key };
      const response = await call(path, { method: "POST", body: JSON.stringify(body), headers });
      expect(await errorOf(response)).toMatchObject({ status: 400, code: "invalid_request" });
    }
    expect(await stored()).toEqual(before);
  });
});

describe("parameters", () => {
  const PAGE = ["limit", "cursor"];
  const FILTERS = [
    "workflow",
    "status",
    "tag",
    "createdAfter",
    "createdBefore",
    "parent",
    "waitingFor",
    "newerThan",
  ];
  /** What each list may be asked; a route that is not here takes none. */
  const KNOWN: Readonly<Record<string, readonly string[]>> = {
    "GET /api/runs": [...PAGE, ...FILTERS, "input.a"],
    "GET /api/runs/counts": [...FILTERS, "input.a"],
    "GET /api/dead-letters": [...PAGE, ...FILTERS, "fingerprint", "input.a"],
    "GET /api/dead-letters/groups": [...FILTERS, "fingerprint", "input.a"],
    "GET /api/runs/:id/history": PAGE,
    "GET /api/history": PAGE,
    "GET /api/bulk": PAGE,
    "GET /api/runs/:id/journal": PAGE,
    "GET /api/runs/:id/timeline": [...PAGE, "after"],
    "GET /api/runs/:id/result": ["wait"],
    "GET /api/runs/:id/children": PAGE,
    "GET /api/channels": PAGE,
    "GET /api/groups/:name": PAGE,
    "GET /api/waits": [...PAGE, "kind", "name"],
    "GET /api/metrics": ["range", "workflow"],
    "GET /api/workflows/stats": ["range"],
    "GET /api/events": [...PAGE, "status", "run"],
  };
  const ASKED = REQUESTS.filter(({ init }) => init.method === "GET").map((request) => ({
    ...request,
    known: KNOWN[request.route] ?? [],
  }));
  /** What answers with lists: the others count. */
  const COUNTING = new Set(["GET /api/runs/counts", "GET /api/metrics", "GET /api/workflows/stats"]);
  const LISTS = ASKED.filter(({ known, route }) => known.length > 0 && !COUNTING.has(route));
  const INJECTIONS = [
    "' or 1=1 --",
    "1; drop table pawl.runs",
    "' || pg_sleep(9) || '",
    "%' or '%",
    "$.**",
    "{a,b}",
    "\\",
    "$1",
    "*",
  ].concat([
    "\u0000",
    "a\u0000",
    "\ud800",
    "",
    " ",
    "x".repeat(5_000),
    "-1",
    "1e9",
    "0x10",
    "NaN",
    "null",
    "[]",
    "__proto__",
  ]);
  const ask = (path: string, query: readonly (readonly [string, string])[]) =>
    call(
      `${path}?${query.map((pair) => pair.map((text) => encodeURIComponent(text.toWellFormed())).join("=")).join("&")}`,
    );

  test.each(LISTS)("of $route: an injection finds nothing", async ({ path, known }) => {
    for (const name of known) {
      for (const value of INJECTIONS) {
        const response = await ask(path, [[name, value]]);
        const found = response.status >= 400 ? [] : Object.values((await response.json()) as object)[0];
        expect([name, value, response.status, found]).toEqual([name, value, lessThan(500), []]);
      }
    }
  });

  test.each(LISTS)("of $route: whatever is unknown or given twice is refused", async ({ path, known }) => {
    const unknown = [
      "x",
      "",
      "__proto__",
      "constructor",
      "toString",
      "Limit",
      "limit[]",
      "tenant",
      "a\u0000",
    ];
    const queries = [
      ...unknown.map((name) => [[name, "1"]] as const),
      ...unknown.map(
        (name) =>
          [
            [name, "1"],
            [name, "2"],
          ] as const,
      ),
      ...known
        .filter((name) => name !== "status" && name !== "tag")
        .map(
          (name) =>
            [
              [name, "1"],
              [name, "1"],
            ] as const,
        ),
    ];
    for (const query of queries) {
      const { status } = await ask(path, query);
      expect([query, status]).toEqual([query, 400]);
    }
  });

  test.each(ASKED)("of $route: any at all are no fault of ours", async ({ path, known }) => {
    const name = fc.oneof(
      fc.constantFrom("x", "input.a.b", "input.", ...known.filter((each) => each !== "wait")),
      fc.string({ unit }),
    );
    const query = fc.array(fc.tuple(name, fc.string({ unit })), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(query, async (pairs) => {
        expect((await ask(path, pairs)).status).toBeLessThan(500);
      }),
      { numRuns: 25 },
    );
  });
});

describe("another tenant's run is answered like one that is not there (S4, S23)", () => {
  const [FOREIGN, MISSING] = ["01K7Z3QX5V8M2N4P6R8T0W1Y3B", "01K7Z3QX5V8M2N4P6R8T0W1Y3C"];
  const ofRuns = REQUESTS.filter(({ route, path }) => route.includes("/:id") && path.includes(RUN_ID));

  test.each(ofRuns)("$route", async ({ path, init }) => {
    await startAs("other", FOREIGN);
    const before = await stored();
    const answers = [];
    for (const id of [FOREIGN, MISSING]) {
      const response = await call(path.replace(RUN_ID, id), init);
      const { "x-request-id": requestId = "", ...headers } = Object.fromEntries(response.headers);
      const text = (await response.text()).replaceAll(id, "the id").replaceAll(requestId, "the request");
      answers.push({ status: response.status, headers, text });
    }
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.status).toBe(404);
    expect(await stored()).toEqual(before);
  });
});

function lessThan(limit: number) {
  return expect.toSatisfy((given: number) => given < limit);
}
