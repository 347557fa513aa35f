import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defineGraph } from "../../src/engine/graph.ts";
import { defineWorkflow } from "../../src/engine/workflow.ts";
import { whileHeld } from "../storage/support/sessions.ts";
import { createLiveApp, type LiveApp } from "./live.ts";

const growing = defineGraph({
  name: "growing",
  steps: {
    first: { run: () => "F" },
    gate: { gate: true },
    timed: { gate: true, timeout: "1 hour", optional: true },
    last: { after: ["gate"], run: () => "L" },
  },
  handlers: { work: ({ payload }) => payload },
});
const plain = defineWorkflow({ name: "plain" }, async ({ step }) => step.waitForSignal("gate"));

let app: LiveApp;
beforeAll(async () => {
  app = await createLiveApp([growing, plain]);
});
afterEach(async () => {
  expect(await app.database.rows("select * from pawl.stuck_runs")).toEqual([]);
});
afterAll(() => app?.stop());

interface Said {
  readonly error?: { readonly code: string; readonly message: string };
}
const codeOf = ({ status, body }: { status: number; body: unknown }) => [status, (body as Said).error?.code];

const append = (id: string, key: string, steps: readonly object[], gate = "gate") =>
  app.post(`/api/runs/${id}/steps`, { gate, steps }, { "mutation-key": key });
const signal = (id: string, name: string, payload: unknown = null) =>
  app.post(`/api/runs/${id}/signals/${name}`, { payload });
const stored = (id: string) => app.database.rows("select * from pawl.mutations where run_id = $1", [id]);
const runOf = async (id: string) =>
  (await app.get(`/api/runs/${id}`)).body as { status: string; output: object };

/** A run whose gates are closed. */
async function waiting(): Promise<string> {
  const id = await app.start("growing");
  await app.drive(id);
  return id;
}
/** Opens what is left to open, and gives what the run came to. */
async function ended(id: string, ...gates: readonly string[]) {
  for (const gate of gates) await signal(id, gate);
  await app.drive(id);
  return runOf(id);
}

const one = { name: "one", handler: "work", payload: { n: 1 } };
const two = { name: "two", handler: "work", after: ["one", "first"] };

describe("appending steps", () => {
  test("201 with the steps as they were understood; they run, and the graph's output has them", async () => {
    const id = await waiting();
    const answer = await append(id, "m-1", [two, { ...one, timeout: "1 minute" }]);
    const said = { tenant: "default", priority: null, maxAttempts: null, stage: "queued" };
    const release = "onTerminal";
    expect(answer).toEqual({
      status: 201,
      body: {
        id,
        mutationKey: "m-1",
        gate: "gate",
        steps: [
          { ...said, ...one, timeout: 60_000, after: [] },
          {
            ...said,
            ...two,
            payload: null,
            timeout: null,
            after: [
              { step: "first", release },
              { step: "one", release },
            ],
          },
        ],
      },
    });
    const { status, output } = await ended(id, "gate", "timed");
    expect(status).toBe("completed");
    expect(output).toMatchObject({
      one: { output: { n: 1 } },
      two: { status: "completed" },
      last: { output: "L" },
    });
  });

  test("right after the start, before any turn", async () => {
    const id = await app.start("growing");
    expect((await append(id, "m-1", [one])).status).toBe(201);
    expect((await ended(id, "gate", "timed")).output).toMatchObject({ one: { status: "completed" } });
  });

  test("the same key with the same request is answered as before, in any order, and also when the run is over", async () => {
    const id = await waiting();
    const first = await append(id, "m-1", [one, two]);
    const again = { ...one, tenant: "default", stage: null };
    const reordered = await append(id, "m-1", [{ ...two, after: ["first", { step: "one" }] }, again]);
    expect(reordered).toEqual({ ...first, status: 200 });
    await ended(id, "gate", "timed");
    expect(await append(id, "m-1", [two, one])).toEqual({ ...first, status: 200 });
    expect(await stored(id)).toHaveLength(1);
  });

  test("the same key with another request is a conflict, and changes nothing", async () => {
    const id = await waiting();
    await append(id, "m-1", [one]);
    for (const steps of [[two], [one, two], [{ ...one, payload: 2 }]]) {
      expect(codeOf(await append(id, "m-1", steps))).toEqual([409, "mutation_conflict"]);
    }
    expect(codeOf(await append(id, "m-1", [one], "timed"))).toEqual([409, "mutation_conflict"]);
    const { output } = await ended(id, "gate", "timed");
    expect(Object.keys(output).sort()).toEqual(["first", "gate", "last", "one", "timed"]);
  });

  test("a request that an older version stored still matches", async () => {
    const id = await waiting();
    const older = { steps: [{ ...two, stage: null, after: [{ step: "one" }, { step: "first" }] }, one] };
    await app.database.rows("insert into pawl.mutations values ('default', $1, 'old', $2, now())", [
      id,
      older,
    ]);
    expect((await append(id, "old", [one, two])).status).toBe(200);
    expect(codeOf(await append(id, "old", [one]))).toEqual([409, "mutation_conflict"]);
    expect(codeOf(await append(id, "new", [one]))).toEqual([422, "invalid_append"]);
    await ended(id, "gate", "timed");
  });

  test("20 requests with one key at once are one mutation", async () => {
    const id = await waiting();
    const answers = await Promise.all(Array.from({ length: 20 }, () => append(id, "m-1", [one, two])));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(19).fill(200), 201]);
    expect(await stored(id)).toHaveLength(1);
    const { output } = await ended(id, "gate", "timed");
    expect(output).toMatchObject({ one: { status: "completed" } });
  });

  test("12 requests with keys of their own at once: each goes through, and of one step's only one", async () => {
    const id = await waiting();
    const each = Array.from({ length: 12 }, (_, i) =>
      append(id, `m-${i}`, [{ ...one, name: `step ${i % 6}` }]),
    );
    const codes = (await Promise.all(each)).map((answer) => codeOf(answer));
    expect(codes.filter(([status]) => status === 201)).toHaveLength(6);
    expect(codes.filter(([, code]) => code === "invalid_append")).toHaveLength(6);
    const { output } = await ended(id, "gate", "timed");
    expect(Object.keys(output)).toHaveLength(4 + 6);
  });
});

test("a run that is forked before its gate has what was appended to the old one, and takes more", async () => {
  const id = await waiting();
  await append(id, "m-1", [one]);
  await app.drive(id);
  await ended(id, "gate", "timed");
  const forked = (await app.post(`/api/runs/${id}/fork`, { from: "gate" })).body as { id: string };
  expect(codeOf(await append(forked.id, "m-1", [one]))).toEqual([422, "invalid_append"]);
  expect((await append(forked.id, "m-1", [two])).status).toBe(201);
  const { output } = await ended(forked.id, "gate", "timed");
  expect(output).toMatchObject({ one: { output: { n: 1 } }, two: { status: "completed" } });
});

describe("racing with the signal that opens the gate", () => {
  const holding = (id: string) => ({ text: "select from pawl.runs where id = $1 for update", params: [id] });
  type Answer = Awaited<ReturnType<typeof append>>;

  test("what comes to the run before the signal is accepted, and done", async () => {
    const id = await waiting();
    const [appended, signalled] = await whileHeld<Answer>(app.database, holding(id), [
      () => append(id, "m-1", [{ ...one, after: ["gate"] }]),
      () => signal(id, "gate"),
    ]);
    expect([appended?.status, signalled?.status]).toEqual([201, 202]);
    expect((await ended(id, "timed")).output).toMatchObject({ one: { status: "completed" } });
  });

  test("what comes after it is refused, and nothing of it is stored", async () => {
    const id = await waiting();
    const [signalled, appended] = await whileHeld<Answer>(app.database, holding(id), [
      () => signal(id, "gate"),
      () => append(id, "m-1", [one]),
    ]);
    expect([signalled?.status, codeOf(appended as Answer)]).toEqual([202, [409, "gate_open"]]);
    expect(await stored(id)).toEqual([]);
    await ended(id, "timed");
  });

  test("however they meet, a step that was accepted is done", async () => {
    const ids = await Promise.all(Array.from({ length: 12 }, () => waiting()));
    await Promise.all(
      ids.map(async (id, i) => {
        const works = [() => append(id, "m-1", [one]), () => signal(id, "gate"), () => app.drive(id)];
        const [answer] = await Promise.all(
          i % 2 === 0
            ? works.map((work) => work())
            : works
                .toReversed()
                .map((work) => work())
                .toReversed(),
        );
        const { output } = await ended(id, "timed");
        const accepted = (answer as Answer).status === 201;
        expect("one" in output).toBe(accepted);
      }),
    );
  });
});

describe("what is refused, and leaves nothing behind", () => {
  test("a gate that is open, by its signal, by its turn, or by its timeout", async () => {
    const id = await waiting();
    await signal(id, "gate");
    expect(codeOf(await append(id, "m-1", [one]))).toEqual([409, "gate_open"]);
    await app.drive(id);
    expect(codeOf(await append(id, "m-1", [one]))).toEqual([409, "gate_open"]);
    expect((await append(id, "m-2", [one], "timed")).status).toBe(201);
    await app.database.moveClock(3_600_000);
    expect(codeOf(await append(id, "m-3", [two], "timed"))).toEqual([409, "gate_open"]);
    await ended(id);
    expect(await stored(id)).toHaveLength(1);
    expect(await runOf(id)).toMatchObject({ status: "completed", output: { timed: { status: "failed" } } });
  });

  test("a run that is over, is no graph, or is not there", async () => {
    const over = await waiting();
    await app.post(`/api/runs/${over}/cancel`);
    expect(codeOf(await append(over, "m-1", [one]))).toEqual([409, "wrong_status"]);
    const other = await app.start("plain");
    expect(codeOf(await append(other, "m-1", [one]))).toEqual([409, "not_a_graph"]);
    expect(codeOf(await append("01K7Z3QX5V8M2N4P6R8T0W1Y3A", "m-1", [one]))).toEqual([404, "run_not_found"]);
    expect([...(await stored(over)), ...(await stored(other))]).toEqual([]);
    await app.post(`/api/runs/${other}/cancel`);
  });

  test.each<[string, object, string]>([
    ["a name that is taken", { name: "first" }, 'a step "first" already'],
    ["an unknown handler", { handler: "play" }, 'the handler "play"'],
    ["an unknown dependency", { after: ["nobody"] }, 'waits for "nobody"'],
    ["a cycle", { after: ["one"] }, '"one" → "one"'],
    ["another tenant", { tenant: "other" }, 'the tenant "other"'],
  ])("%s is 422, by name", async (_what, changes, problem) => {
    const id = await waiting();
    const answer = await append(id, "m-1", [{ ...one, ...changes }]);
    expect(codeOf(answer)).toEqual([422, "invalid_append"]);
    expect((answer.body as Said).error?.message).toContain(problem);
    expect(codeOf(await append(id, "m-1", [one], "door"))).toEqual([422, "invalid_append"]);
    expect(await stored(id)).toEqual([]);
    await app.post(`/api/runs/${id}/cancel`);
  });

  test("a missing or odd Mutation-Key, and a body that says something else", async () => {
    const id = await waiting();
    const path = `/api/runs/${id}/steps`;
    expect(codeOf(await app.post(path, { gate: "gate", steps: [one] }))).toEqual([400, "invalid_request"]);
    expect(codeOf(await append(id, "x".repeat(201), [one]))).toEqual([400, "invalid_request"]);
    for (const steps of [
      [],
      [{ name: "a" }],
      [{ ...one, color: 1 }],
      [{ ...one, maxAttempts: 0 }],
      [{ ...one, stage: "a#b" }],
    ]) {
      expect(codeOf(await append(id, "m-1", steps))).toEqual([400, "invalid_request"]);
    }
    expect(codeOf(await append(id, "m-1", [{ ...one, timeout: "soon" }]))).toEqual([422, "invalid_duration"]);
    expect(await stored(id)).toEqual([]);
    await app.post(`/api/runs/${id}/cancel`);
  });
});
