/**
 * Bodies that mean harm, at every route that takes one. The routes are the app's own, so a new one is covered at once:
 * a 4xx with the right code, no more read than the limit, and nothing performed (K1, H10).
 */
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { BODY_LIMIT_BYTES } from "../../src/http/body.ts";
import { KEY_LIMIT } from "../../src/http/json-text.ts";
import { REQUESTS, SAMPLES } from "./samples.ts";
import { errorOf, ORIGIN, TOKEN, watchedApp } from "./support.ts";

const { call, send, asked } = await watchedApp();
const JSON_TYPE = { "content-type": "application/json" };

const TAKING = REQUESTS.filter(({ init }) => init.method !== "GET").map(({ route, path, init }) => ({
  route,
  path,
  init,
  given: SAMPLES[route]?.given ?? {},
  sample: init.body ?? "",
  /** All of the body is one value: the route has no fields of its own. */
  takesAnything: route === "POST /hooks/:token",
}));
const WITH_FIELDS = TAKING.filter(({ takesAnything }) => !takesAnything);

type Taking = (typeof TAKING)[number];

/** The refusal of this body; fails when anything was performed before it. */
async function refusal(
  { path, given }: Taking,
  body: BodyInit | null,
  headers: Record<string, string> = JSON_TYPE,
) {
  asked.length = 0;
  const init = { method: "POST", body, headers: { ...given, ...headers }, duplex: "half" };
  const response = await call(path, init as RequestInit);
  const { status, code, message } = await errorOf(response);
  expect(asked).toEqual([]);
  expect(message.length).toBeLessThan(1_100);
  return { status, code, message };
}

/** A body of which a test sees how far it was read. */
function watchedStream(chunk: Uint8Array) {
  const seen = { bytes: 0, cancelled: false };
  const stream = new ReadableStream(
    {
      pull(controller) {
        seen.bytes += chunk.length;
        controller.enqueue(chunk);
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { seen, stream };
}

afterEach(() => {
  for (const prototype of [Object.prototype, Array.prototype, String.prototype]) {
    expect("isAdmin" in prototype).toBe(false);
  }
});

describe.each([
  ["cut short", '{"input": {"a": 1'],
  ["not JSON", "input=1"],
  ["two values", "{}{}"],
  ["a trailing comma", '{"input": 1,}'],
  ["a comment", "{} // nothing"],
  ["single quotes", "{'input': 1}"],
  ["NaN", '{"input": NaN}'],
  ["white space only", " \n"],
  ["a byte order mark only", "\ufeff"],
  ["two byte order marks", "\ufeff\ufeff{}"],
  ["an open string", '{"input": "'],
  ["brackets that do not match", '{"input": [}'],
  ["a bare NUL", "\u0000"],
  ["a NUL in a string", '{"input": "\u0000"}'],
  ["a hundred thousand closing brackets", "]".repeat(100_000)],
  ["a hundred thousand colons", ":".repeat(100_000)],
  ["a hundred thousand quotes", '"'.repeat(100_001)],
  ["invalid UTF-8 (H2)", new Uint8Array([0x22, 0xff, 0xfe, 0x22])],
  ["overlong UTF-8", new Uint8Array([0x22, 0xc0, 0xaf, 0x22])],
  ["a surrogate in UTF-8", new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22])],
  ["UTF-16", new Uint8Array([0xff, 0xfe, 0x7b, 0, 0x7d, 0])],
  ["gzip that says it is none", gzipSync("{}")],
])("%s is invalid_json", (_name, body) => {
  test.each(TAKING)("at $route", async (taking) => {
    expect(await refusal(taking, body)).toMatchObject({ status: 400, code: "invalid_json" });
  });
});

test.each(TAKING)("what is not JSON is not quoted in the answer of $route", async (taking) => {
  for (const body of ["hunter2", '{"input":hunter2}', '{"a":"hunter2",}', '{"hunter2"}']) {
    expect((await refusal(taking, body)).message).not.toContain("hunter2");
  }
});

test.each(TAKING)("a body that breaks off is invalid_json at $route", async (taking) => {
  const broken = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode('{"input":')),
    pull: (controller) => controller.error(new Error("connection reset")),
  });
  expect(await refusal(taking, broken)).toMatchObject({ status: 400, code: "invalid_json" });
});

describe("no body, an empty one and an empty stream are one and the same", () => {
  test.each(WITH_FIELDS)("at $route", async ({ path, given }) => {
    const answers = [];
    for (const body of [null, "", new Blob([]).stream()]) {
      const init = { method: "POST", body, headers: { ...given, ...JSON_TYPE }, duplex: "half" };
      const { status } = await call(path, init as RequestInit);
      answers.push(status);
    }
    expect(new Set(answers).size).toBe(1);
  });
});

describe.each([
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "application/json; charset=utf-16",
  "application/json, text/plain",
  "text/plain; application/json",
  "application/jsonp",
  "application/json;charset=utf-8;charset=utf-16",
  "application/xml",
  "",
])("content type %j is refused", (type) => {
  test.each(TAKING)("at $route", async (taking) => {
    const refused = await refusal(taking, taking.sample, { "content-type": type });
    expect(refused).toMatchObject({ status: 415, code: "unsupported_media_type" });
  });
});

/** 50 MB once it is inflated. */
const bomb = gzipSync(new Uint8Array(50_000_000));

describe.each(["gzip", "br", "deflate", "identity, gzip", "x-unknown"])(
  "content encoding %s is refused",
  (encoding) => {
    test.each(TAKING)("at $route", async (taking) => {
      const refused = await refusal(taking, bomb, { ...JSON_TYPE, "content-encoding": encoding });
      expect(refused).toMatchObject({ status: 415, code: "unsupported_media_type" });
    });
  },
);

describe("a body larger than the limit is refused", () => {
  const tooLarge = { status: 413, code: "body_too_large" };
  const chunk = new Uint8Array(65_536).fill(32);

  test.each(TAKING)("unread where it says so: $route", async (taking) => {
    const { seen, stream } = watchedStream(chunk);
    const refused = await refusal(taking, stream, { ...JSON_TYPE, "content-length": "100000000" });
    expect(refused).toMatchObject(tooLarge);
    expect(seen.bytes).toBe(0);
  });

  test.each(TAKING)("at the limit where it never ends, whatever it says: $route", async (taking) => {
    for (const claimed of [{}, { "content-length": "2" }, { "content-length": "-1" }]) {
      const { seen, stream } = watchedStream(chunk);
      expect(await refusal(taking, stream, { ...JSON_TYPE, ...claimed })).toMatchObject(tooLarge);
      expect(seen.cancelled).toBe(true);
      expect(seen.bytes).toBeGreaterThan(BODY_LIMIT_BYTES);
      expect(seen.bytes).toBeLessThanOrEqual(BODY_LIMIT_BYTES + chunk.length);
    }
  });

  test.each(TAKING)("by one byte: $route", async (taking) => {
    const padded = taking.sample.padEnd(BODY_LIMIT_BYTES + 1);
    expect(await refusal(taking, padded)).toMatchObject(tooLarge);
  });
});

describe.each([
  ["lists", "[", "]"],
  ["objects", '{"a":', "}"],
  ["lists of objects", '[{"a":', "}]"],
  ["brackets that never close", "[{", ""],
])("a hundred thousand %s in each other are refused before they are parsed", (_name, open, close) => {
  test.each(TAKING)("at $route", async (taking) => {
    const deep = `${open.repeat(100_000)}0${close.repeat(100_000)}`;
    expect(await refusal(taking, deep)).toMatchObject({ status: 400, code: "too_deep" });
  });
});

describe("too many keys are refused", () => {
  const keys = (count: number) => Array.from({ length: count }, (_, i) => `"k${i}":0`).join();

  test.each(TAKING)("in a value: $route", async (taking) => {
    const body = `{"input":{${keys(KEY_LIMIT)}},"payload":{"one":"more"}}`;
    expect(await refusal(taking, body)).toMatchObject({ status: 400, code: "too_many_keys" });
  });

  test.each(TAKING)("as fields: $route", async (taking) => {
    const refused = await refusal(taking, `{${keys(KEY_LIMIT + 1)}}`);
    expect(refused).toMatchObject({ status: 400, code: "too_many_keys" });
  });

  test.each(WITH_FIELDS)("and fields that nobody knows are, in few words: $route", async (taking) => {
    const refused = await refusal(taking, `{${keys(KEY_LIMIT)}}`);
    expect(refused).toMatchObject({ status: 400, code: "invalid_request" });
  });
});

describe("a key that is given twice is refused, not dropped (H9)", () => {
  test.each([
    ['{"a":1,"a":2}', "a"],
    ['{"a":1,"\\u0061":2}', "a"],
    ['{"x":[{"b":{}},{"b":{"c":[],"c":[]}}]}', "c"],
    ['{"":1,"":1}', ""],
    ['{"__proto__":{},"__proto__":{}}', "__proto__"],
    ['{"a\\"\\\\":1 , "a\\"\\\\" : 1}', 'a"\\'],
  ])("%s", async (body, key) => {
    for (const taking of TAKING) {
      const { code, message } = await refusal(taking, body);
      expect([taking.route, code]).toEqual([taking.route, "invalid_request"]);
      expect(message).toBe(`Invalid body: ${key}: is given twice.`);
    }
  });

  test.each(WITH_FIELDS.filter(({ sample }) => sample !== "{}"))(
    "in the sample of $route",
    async (taking) => {
      const twice = taking.sample.replace(/^\{("\w+":)/, "{$1null,$1");
      expect((await refusal(taking, twice)).message).toContain("is given twice");
    },
  );
});

describe.each(["null", "[]", "[{}]", "1", '"text"', "true"])(
  "%s in place of an object is refused",
  (body) => {
    test.each(WITH_FIELDS)("at $route", async (taking) => {
      expect(await refusal(taking, body)).toMatchObject({ status: 400, code: "invalid_request" });
    });
  },
);

describe.each([
  ["__proto__", '{"isAdmin":true}'],
  ["constructor", '{"prototype":{"isAdmin":true}}'],
  ["prototype", '{"isAdmin":true}'],
  ["toString", "1"],
  ["hasOwnProperty", "null"],
  ["isAdmin", "true"],
  ["status", '"completed"'],
  ["turn", "0"],
  ["", "1"],
])("%j is nobody's field", (field, value) => {
  test.each(WITH_FIELDS)("of $route", async (taking) => {
    const fields = taking.sample.slice(1);
    const body = `{"${field}":${value}${fields === "}" ? "" : ","}${fields}`;
    expect(await refusal(taking, body)).toMatchObject({ status: 400, code: "invalid_request" });
  });
});

describe("a route that only reads takes no body, and does not read one", () => {
  const reading = REQUESTS.filter(({ init }) => init.method === "GET");
  const methods = reading.flatMap((each) => ["GET", "HEAD"].map((method) => ({ ...each, method })));

  test.each(methods)("$method of $route", async ({ path, method }) => {
    for (const headers of [{}, JSON_TYPE, { "content-length": "2" }, { "transfer-encoding": "chunked" }]) {
      asked.length = 0;
      const { seen, stream } = watchedStream(new Uint8Array(2).fill(32));
      const request = new Request(`${ORIGIN}${path}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, ...headers },
      });
      // The constructor refuses such a request; workerd makes one from what it receives.
      const response = await send(Object.defineProperty(request, "body", { value: stream }));
      expect(response.status).toBe(400);
      // The answer to a HEAD says nothing more.
      if (method === "GET") {
        expect(await errorOf(response)).toMatchObject({
          code: "invalid_request",
          message: "Invalid body: a GET takes none.",
        });
      }
      expect([asked, seen.bytes]).toEqual([[], 0]);
    }
  });
});
