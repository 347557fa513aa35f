/**
 * Requests as no well-behaved client sends them, over a socket to the real workerd: what its parser lets through is
 * decided like the plain request, and what it does not never reaches anything (K1, K3, K4).
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { PUBLIC_ROUTES, REQUESTS, SAMPLES } from "../http/samples.ts";
import { dial, exchange, posting, requestText } from "../support/raw-http.ts";
import { TOKEN } from "../support/worker.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
// Nothing is ever started here, so there is nothing to come to rest between the tests.
afterEach(async () => {
  expect(await world.database.rows("select from pawl.runs")).toEqual([]);
  // That a verb was slow says something about the machine only.
  expect(world.worker.logs.filter((line) => !line.includes('"event":"slow"'))).toEqual([]);
});
afterAll(async () => {
  await world?.settle();
  await world?.stop();
});

const AUTHORIZED = `Authorization: Bearer ${TOKEN}`;
const GETS = REQUESTS.filter(({ init }) => init.method === "GET");
const POSTS = REQUESTS.filter(({ init }) => init.method === "POST");
const PRIVATE = REQUESTS.filter(({ route }) => !PUBLIC_ROUTES.has(route));

const ask = (text: string | Buffer) => exchange(world.worker.url, text);
const get = async (path: string, ...headers: string[]) =>
  (await ask(requestText(`GET ${path}`, headers))).statuses;

/** Lines for the headers that the sample of a route gives. */
function givenLines(route: string): string[] {
  return Object.entries(SAMPLES[route]?.given ?? {}).map(([name, value]) => `${name}: ${value}`);
}

/** There is an answer, and each is one of these. */
function expectAnswers(what: string, statuses: readonly number[], ...allowed: readonly number[]): void {
  const others = statuses.filter((status) => !allowed.includes(status));
  expect({ what, answered: statuses.length > 0, others }).toEqual({ what, answered: true, others: [] });
}

describe("without the token", () => {
  test.each(["TRACE", "HEAD", "OPTIONS", "PUT", "DELETE", "PROPFIND", "LOCK", "SEARCH", "PURGE"])(
    "%s performs nothing at any route",
    async (method) => {
      for (const { route, path } of REQUESTS) {
        const { statuses } = await ask(requestText(`${method} ${path}`));
        const open = method === "HEAD" && route === "GET /healthz";
        expect([route, statuses]).toEqual([route, [open ? 200 : 401]]);
      }
    },
  );

  test.each(["get", "Get", "FOO", "GET\tx", " GET", "G\0T"])(
    "the method %j is refused by the platform",
    async (method) => {
      const { statuses } = await ask(requestText(`${method} /api/runs`));
      expectAnswers(method, statuses, 400, 501);
    },
  );

  test("no way to write a target opens a route", async () => {
    const answered = world.gateway.answered.length;
    for (const { route, path, init } of PRIVATE) {
      const targets = [
        ...[path, `http://pawl.test${path}`, `http://pawl.test/healthz/..${path}`],
        ...[`/healthz/..${path}`, `/healthz/%2e%2e${path}`, `/healthz\\..${path}`, `/healthz/.\t.${path}`],
        ...[`${path}\\`, `\\${path}`, `/${path}`, `${path}#/healthz`, `${path}\0`, `${path}\xff`],
        ...[`${path}?/healthz`, `${path};/healthz`, `*${path}`],
      ];
      for (const target of targets) {
        const text = Buffer.from(requestText(`${init.method} ${target}`, ["Content-Length: 0"]), "latin1");
        expectAnswers(`${route}: ${target}`, (await ask(text)).statuses, 400, 401);
      }
    }
    expect(world.gateway.answered.slice(answered)).toEqual([]);
  });
});

describe("authorization", () => {
  test.each([
    ["the token", [AUTHORIZED], [200]],
    [
      "the token with white space around it, which is no part of it",
      [`Authorization:\t Bearer ${TOKEN} \t`],
      [200],
    ],
    ["a header in capitals", [`AUTHORIZATION: Bearer ${TOKEN}`], [200]],
    ["the right header before a wrong one", [AUTHORIZED, "Authorization: Bearer wrong"], [401]],
    ["the right header after a wrong one", ["Authorization: Bearer wrong", AUTHORIZED], [401]],
    ["the right header after an empty one, which says nothing", ["Authorization:", AUTHORIZED], [200, 401]],
    ["the right header twice", [AUTHORIZED, AUTHORIZED], [401]],
    ["a lower-case scheme", [`Authorization: bearer ${TOKEN}`], [401]],
    ["another scheme", [`Authorization: Basic ${TOKEN}`], [401]],
    ["no scheme", [`Authorization: ${TOKEN}`], [401]],
    ["an empty token", ["Authorization: Bearer "], [401]],
    ["a comma after the token", [`${AUTHORIZED},`], [401]],
    ["a tab before the token", [`Authorization: Bearer\t${TOKEN}`], [401]],
    ["two spaces before the token", [`Authorization: Bearer  ${TOKEN}`], [401]],
    ["100 KB of token", [`Authorization: Bearer ${"x".repeat(100_000)}`], [400, 401, 431]],
    ["the token and 100 KB more", [`${AUTHORIZED}${"x".repeat(100_000)}`], [400, 401, 431]],
    ["bytes above ASCII", ["Authorization: Bearer \xff\xfe"], [400, 401]],
    ["a NUL in the token", [`${AUTHORIZED}\0`], [400]],
    ["a line break in the token", [`Authorization: Bearer wrong\r X: ${TOKEN}`], [400]],
    ["a folded line", ["Authorization: Bearer", ` ${TOKEN}`], [400]],
    ["a space in the header's name", [`Authorization : Bearer ${TOKEN}`], [400]],
    ["a header injected after a bare carriage return", [`X-A: b\r${AUTHORIZED}`], [400]],
    ["a header in a header's encoded value", [`X-A: b%0d%0a${AUTHORIZED}`], [401]],
    ["the header in a trailer", ["Transfer-Encoding: chunked", "Trailer: Authorization"], [401]],
  ])("%s", async (_name, headers, statuses) => {
    const trailer = headers.some((line) => line.startsWith("Trailer")) ? `0\r\n${AUTHORIZED}\r\n\r\n` : "";
    const text = Buffer.from(requestText("GET /api/runs", headers, trailer), "latin1");
    const answer = await ask(text);
    expect(answer.statuses).toHaveLength(1);
    expect(statuses).toContain(answer.statuses[0]);
  });

  test("100 KB of another header, or 3,000 headers, change nothing", async () => {
    const long = [`X-A: ${"x".repeat(100_000)}`];
    const many = Array.from({ length: 3_000 }, (_, i) => `X-${i}: ${i}`);
    for (const headers of [long, many]) {
      expectAnswers("without the token", await get("/api/runs", ...headers), 400, 401, 431);
      expectAnswers("with it", await get("/api/runs", ...headers, AUTHORIZED), 200, 400, 431);
    }
  });

  test("keys that are too long, not ASCII or empty are refused", async () => {
    for (const { route, path, init } of POSTS.filter(({ route }) => givenLines(route).length > 0)) {
      const [name] = givenLines(route).map((line) => line.split(":")[0]);
      for (const keys of [[`${name}: ${"x".repeat(100_000)}`], [`${name}: é`], [`${name}:`]]) {
        const { statuses } = await ask(
          requestText(`POST ${path}`, ...posting(init.body ?? "", [AUTHORIZED, ...keys])),
        );
        expectAnswers(`${route}: ${keys.join().slice(0, 50)}`, statuses, 400, 431);
      }
    }
  });
});

describe("a body", () => {
  test.each(GETS)("on $route is refused", async ({ path }) => {
    for (const [headers, body] of [
      [["Content-Length: 2"], "{}"],
      [["Transfer-Encoding: chunked"], "2\r\n{}\r\n0\r\n\r\n"],
    ] as const) {
      const { statuses, text } = await ask(requestText(`GET ${path}`, [AUTHORIZED, ...headers], body));
      expect([statuses, text]).toEqual([[400], expect.stringContaining("a GET takes none")]);
    }
    expect(await get(path, AUTHORIZED, "Content-Length: 0")).not.toContain(400);
  });

  test("that is announced as 100 MB is refused at every route before any of it is sent", async () => {
    const answers = POSTS.map(async ({ route, path }) => {
      const headers = [AUTHORIZED, ...givenLines(route), "Content-Type: application/json"];
      const client = await dial(world.worker.url);
      client.write(requestText(`POST ${path}`, [...headers, "Content-Length: 100000000"]));
      return [route, (await client.answer).statuses];
    });
    expect(await Promise.all(answers)).toEqual(POSTS.map(({ route }) => [route, [413]]));
  });

  test.each(POSTS)("of $route that never ends is cut off", async ({ route, path }) => {
    const headers = [
      AUTHORIZED,
      ...givenLines(route),
      "Content-Type: application/json",
      "Transfer-Encoding: chunked",
    ];
    const client = await dial(world.worker.url);
    client.write(requestText(`POST ${path}`, headers));
    // Far more than is read. Whoever goes on sending may be cut off before the answer has reached it.
    for (let i = 0; i < 40; i++) client.write(`10000\r\n${" ".repeat(0x10000)}\r\n`);
    expect((await client.answer).statuses.filter((status) => status !== 413)).toEqual([]);
  });

  test.each([
    ["whose length is given twice", ["Content-Length: 2", "Content-Length: 3"], "{}", [400]],
    ["of negative length", ["Content-Length: -2"], "{}", [400]],
    ["whose length is no number", ["Content-Length: 0x2"], "{}", [400]],
    ["of a broken chunk", ["Transfer-Encoding: chunked"], "zz\r\n{}\r\n0\r\n\r\n", [400]],
    [
      "of a chunk of 2^64 bytes",
      ["Transfer-Encoding: chunked"],
      "10000000000000000\r\n{}\r\n0\r\n\r\n",
      [400],
    ],
    ["in another transfer encoding", ["Transfer-Encoding: gzip, chunked"], "0\r\n\r\n", [400, 501]],
  ])("%s is refused", async (_name, headers, body, statuses) => {
    const lines = [AUTHORIZED, "Content-Type: application/json", ...headers];
    const answer = await ask(requestText("POST /api/workflows/count/runs", lines, body));
    expectAnswers("it", answer.statuses, ...statuses);
  });

  test("that hides a second request between two lengths opens nothing", async () => {
    const hidden = requestText("GET /api/runs", ["X: y"]);
    const headers = [
      AUTHORIZED,
      "Content-Type: application/json",
      "Content-Length: 4",
      "Transfer-Encoding: chunked",
    ];
    // An empty body is a 400; what comes after it has no token of its own.
    const body = `0\r\n\r\n${hidden}`;
    const text = requestText("POST /api/workflows/count/runs", headers, body).replace(
      "Connection: close\r\n",
      "",
    );
    const { statuses } = await ask(text);
    expectAnswers("both", statuses, 400, 401);
  });
});
