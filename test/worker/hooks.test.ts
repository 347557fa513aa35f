import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld({ PAWL_HOOK_SECRET: "a-secret-for-hooks-0123456789" });
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const JSON_TYPE = { "content-type": "application/json" };
const HOUR = 3_600_000;

/** A run that waits to be called, and the address it has told. */
async function callee(expires = "1 hour"): Promise<{ id: string; path: string }> {
  const id = await world.start("callee", { expires });
  await world.reaches(id, "waiting");
  const [told] = world.ledger.of(id);
  return { id, path: told?.step ?? "" };
}

/** Without a bearer token: the address is the permission. */
async function call(path: string, body?: string, init: RequestInit = {}) {
  const response = await world.worker.fetch(path, {
    method: "POST",
    headers: { authorization: "", ...(body === undefined ? {} : JSON_TYPE) },
    ...(body === undefined ? {} : { body }),
    ...init,
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const codeOf = ({ status, body }: Awaited<ReturnType<typeof call>>) => [
  status,
  (body.error as { code: string } | undefined)?.code,
];

describe("a hook", () => {
  test("resumes its run with what was posted, once, without a bearer token (F14)", async () => {
    const { id, path } = await callee();
    expect(path).toMatch(/^\/hooks\/[A-Za-z0-9_-]{43}$/);
    expect(await call(path, '{"paid":true}')).toEqual({ status: 202, body: { received: true } });
    expect(codeOf(await call(path, '{"paid":false}')).at(-1)).toMatch(/^hook_(used|not_found)$/);
    expect((await world.reaches(id, "completed")).output).toEqual({ got: { paid: true } });
    expect(codeOf(await call(path, "1"))).toEqual([404, "hook_not_found"]);
  });

  test("is there before the step that tells of it begins: who is told may call at once", async () => {
    const answers: Awaited<ReturnType<typeof call>>[] = [];
    world.ledger.onEffect = async ({ step }) => void answers.push(await call(step, "1"));
    const id = await world.start("callee", { expires: "1 hour" });
    expect((await world.reaches(id, "completed")).output).toEqual({ got: 1 });
    expect(answers.map(({ status }) => status)).toEqual([202]);
  });

  test.each([
    ["no body", undefined, null],
    ["an empty body", "", null],
    ["a number", "7", 7],
    ["text", '"paid"', "paid"],
    ["null", "null", null],
  ])("takes %s", async (_what, body, got) => {
    const { id, path } = await callee();
    expect((await call(path, body)).status).toBe(202);
    expect((await world.reaches(id, "completed")).output).toEqual({ got });
  });

  test("that ten callers post to at once is received from exactly one of them (F14)", async () => {
    const { id, path } = await callee();
    world.broker.pause();
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => call(path, String(i))));
    const received = answers.flatMap(({ status }, i) => (status === 202 ? [i] : []));
    expect(received).toHaveLength(1);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202, 409]));
    expect(codeOf(await call(path, "10"))).toEqual([409, "hook_used"]);
    world.broker.resume();
    expect((await world.reaches(id, "completed")).output).toEqual({ got: received[0] });
  });

  test("that has expired is gone (F14)", async () => {
    const { id, path } = await callee();
    await world.database.moveClock(HOUR);
    expect(codeOf(await call(path, "1"))).toEqual([410, "hook_expired"]);
    expect((await world.run(id)).status).toBe("waiting");
  });

  test("of a run that is over is not found, with the answer of one that never was (F14)", async () => {
    const { id, path } = await callee();
    await world.worker.post(`/api/runs/${id}/cancel`);
    const over = await call(path, "1");
    const unknown = await call(`/hooks/${"A".repeat(43)}`, "1");
    const odd = await call("/hooks/short", "1");
    const bare = (answer: typeof over) => ({ ...(answer.body.error as object), requestId: "" });
    expect([over, unknown, odd].map(codeOf)).toEqual([1, 2, 3].map(() => [404, "hook_not_found"]));
    expect(bare(over)).toEqual(bare(unknown));
    expect(bare(over)).toEqual(bare(odd));
  });

  test("is resumed by nothing but a POST of JSON", async () => {
    const { id, path } = await callee();
    for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      const withToken = await world.worker.fetch(path, { method });
      expect([method, withToken.status]).toEqual([method, 405]);
      const without = await world.worker.fetch(path, { method, headers: { authorization: "" } });
      expect([method, without.status]).toEqual([method, 401]);
    }
    expect(codeOf(await call(path, "{"))).toEqual([400, "invalid_json"]);
    const text = { headers: { authorization: "", "content-type": "text/plain" } };
    expect(codeOf(await call(path, "paid", text))).toEqual([415, "unsupported_media_type"]);
    expect(codeOf(await call(path, `"${"x".repeat(1_000_001)}"`))).toEqual([413, "body_too_large"]);
    expect(codeOf(await call(path, '"\\u0000"'))).toEqual([422, "unstorable_value"]);
    expect((await world.run(id)).status).toBe("waiting");
    expect(await world.database.rows("select from pawl.deliveries")).toEqual([]);
    expect(await world.database.rows("select from pawl.hooks where used_at is null")).toHaveLength(1);
  });

  test("keeps what was posted when the database answered and the caller was not told (F10)", async () => {
    const { id, path } = await callee();
    world.gateway.inject({ on: "hook", when: "after", act: () => "cut" });
    expect(codeOf(await call(path, "1"))).toEqual([503, "store_unavailable"]);
    await world.database.moveClock(60_000);
    await world.worker.tick();
    expect((await world.reaches(id, "completed")).output).toEqual({ got: 1 });
  });

  test("has a token that the database does not hold, nor what is reported", async () => {
    const { id, path } = await callee();
    const token = path.slice("/hooks/".length);
    const tables = await world.database.rows<{ name: string }>(
      "select table_name as name from information_schema.tables where table_schema = 'pawl' and table_type = 'BASE TABLE'",
    );
    for (const { name } of tables) {
      const held = `select from pawl.${name} t where position($1 in t::text) > 0`;
      expect([name, await world.database.rows(held, [token])]).toEqual([name, []]);
    }
    const digest = createHash("sha256").update(token).digest("hex");
    expect(await world.database.rows("select digest from pawl.hooks")).toEqual([{ digest }]);
    expect((await call(path, "1")).status).toBe(202);
    await eventually("it is over", async () => (await world.run(id)).status === "completed");
  });
});
