import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { decode, type Encoded } from "../../src/engine/codec.ts";
import { BODY_LIMIT_BYTES } from "../../src/http/body.ts";
import { DEPTH_LIMIT, KEY_LIMIT } from "../../src/http/json-text.ts";
import { appWith, errorOf, RUN_ID, runWith, started } from "./support.ts";

const inputs: Encoded[] = [];
const { call } = await appWith({
  store: {
    startRuns: async (_tenant, runs) => {
      inputs.push(...runs.map((run) => run.input));
      return runs.map(started);
    },
    cancelRun: async () => ({ result: "moved", due: [] }),
  },
});
const PATH = "/api/workflows/echo/runs";

function send(
  body: BodyInit | null,
  headers: Record<string, string> = { "content-type": "application/json" },
) {
  return call(PATH, { method: "POST", body, headers, duplex: "half" } as RequestInit);
}

/** Starts a run with this JSON text as its input, and gives the input back as a workflow would see it. */
async function roundTrip(json: string): Promise<unknown> {
  expect((await send(`{"input":${json}}`)).status).toBe(201);
  const stored = inputs.at(-1);
  if (stored === undefined) throw new Error("nothing was started");
  return decode(stored);
}

describe("only plain application/json is read", () => {
  test.each(["application/json", "application/json;charset=utf-8", 'Application/JSON; charset="UTF-8"'])(
    "%s is accepted",
    async (type) => {
      expect((await send("{}", { "content-type": type })).status).toBe(201);
    },
  );

  test("a body that says it is not compressed is accepted", async () => {
    const headers = { "content-type": "application/json", "content-encoding": "identity" };
    expect((await send("{}", headers)).status).toBe(201);
  });
});

describe("a body's size is bounded", () => {
  const sized = (bytes: number) => `{"input":"${"x".repeat(bytes - 12)}"}`;

  test.each([
    [BODY_LIMIT_BYTES - 1, 201],
    [BODY_LIMIT_BYTES, 201],
    [BODY_LIMIT_BYTES + 1, 413],
  ])("%i bytes answer %i", async (bytes, status) => {
    expect((await send(sized(bytes))).status).toBe(status);
    const streamed = new Blob([sized(bytes)]).stream();
    expect((await send(streamed)).status).toBe(status);
  });

  test.each([
    ["lists", "[", "]"],
    ["objects", '{"a":', "}"],
  ])("%s may be nested to the limit and no deeper", async (_name, open, close) => {
    const nested = (depth: number) => `{"input":${open.repeat(depth - 1)}0${close.repeat(depth - 1)}}`;
    expect((await send(nested(DEPTH_LIMIT))).status).toBe(201);
    expect(await errorOf(await send(nested(DEPTH_LIMIT + 1)))).toMatchObject({
      status: 400,
      code: "too_deep",
    });
  });

  test("brackets and colons inside strings do not count", async () => {
    const odd = '\\"[[{'.repeat(100) + ":".repeat(KEY_LIMIT + 1);
    expect(await roundTrip(`"${odd}"`)).toBe(JSON.parse(`"${odd}"`));
    expect(await roundTrip(`["\\\\", ${"[".repeat(50)}${"]".repeat(50)}]`)).toHaveLength(2);
  });

  test("an input may have as many keys as the limit and no more", async () => {
    const withKeys = (count: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i])));
    expect(await roundTrip(withKeys(KEY_LIMIT))).toEqual(JSON.parse(withKeys(KEY_LIMIT)));
    const refusal = await errorOf(await send(`{"input":${withKeys(KEY_LIMIT + 1)}}`));
    expect(refusal).toMatchObject({ status: 400, code: "too_many_keys" });
  });
});

describe("values reach the workflow as they were sent", () => {
  test.each([
    ['{"__proto__":{"isAdmin":true}}'],
    ['{"constructor":{"prototype":{"isAdmin":true}}}'],
    ['{"toString":1,"":2,"a.b":3,"1":4,"snake_case":5,"hasOwnProperty":6}'],
    ['"\u202e\u200d👩‍👩‍👧 \u00e9"'],
    ["[1.5,-7,1e21,true,null]"],
  ])("%s", async (json) => {
    const value = await roundTrip(json);
    expect(isDeepStrictEqual(value, JSON.parse(json))).toBe(true);
    expect("isAdmin" in {}).toBe(false);
  });

  test("an own __proto__ key stays an own key on the way in and out", async () => {
    const json = '{"__proto__":{"isAdmin":true}}';
    expect(JSON.stringify(await roundTrip(json))).toBe(json);
    const stored = inputs.at(-1);
    const { call } = await appWith({
      reads: { run: async () => runWith({ input: stored ?? { json: 0, meta: null } }) },
    });
    expect(await (await call(`/api/runs/${RUN_ID}`)).text()).toContain(`"input":${json}`);
  });

  test("a byte order mark is no part of the text (H2)", async () => {
    expect((await send('\ufeff{"input":1}')).status).toBe(201);
  });

  test.each(['"\\u0000"', '{"a\\u0000":1}', '"\\ud800"'])(
    "%s cannot be stored: unstorable_value",
    async (json) => {
      const refusal = await errorOf(await send(`{"input":${json}}`));
      expect(refusal).toMatchObject({ status: 422, code: "unstorable_value" });
    },
  );
});

describe("a route that takes nothing", () => {
  const cancel = (init: RequestInit) => call(`/api/runs/${RUN_ID}/cancel`, { method: "POST", ...init });
  const json = { "content-type": "application/json" };

  test("accepts no body, an empty one and an empty object", async () => {
    expect((await cancel({})).status).toBe(200);
    expect((await cancel({ body: "" })).status).toBe(200);
    expect((await cancel({ body: "{}", headers: json })).status).toBe(200);
  });

  test("refuses what it would ignore", async () => {
    expect((await errorOf(await cancel({ body: '{"reason":"x"}', headers: json }))).code).toBe(
      "invalid_request",
    );
    expect((await errorOf(await cancel({ body: "{}" }))).code).toBe("unsupported_media_type");
    expect((await errorOf(await cancel({ body: "{", headers: json }))).code).toBe("invalid_json");
    expect(
      (await errorOf(await cancel({ body: " ".repeat(BODY_LIMIT_BYTES + 1), headers: json }))).code,
    ).toBe("body_too_large");
  });
});
