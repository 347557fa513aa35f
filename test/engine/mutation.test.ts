import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkAppend } from "../../src/engine/graph/append.ts";
import {
  type AppendedStep,
  type AppendRequest,
  isSameRequest,
  readStored,
  toCanonical,
} from "../../src/engine/mutation.ts";
import { stored } from "./support.ts";

const TENANT = "acme";

const alpha: AppendedStep = {
  name: "alpha",
  handler: "work",
  payload: { batch: 1 },
  after: [{ step: "gate" }],
};
const beta: AppendedStep = { name: "beta", handler: "work", after: ["alpha", { step: "gate" }], priority: 5 };

const requestOf = (...steps: readonly AppendedStep[]): AppendRequest => ({ gate: "gate", steps });
const canonical = (request: AppendRequest) => toCanonical(request, TENANT);
const isSame = (one: AppendRequest, other: AppendRequest) =>
  isSameRequest(readStored(stored(canonical(one)), TENANT), canonical(other));

describe("requests that mean the same", () => {
  test("the canonical form says everything, sorted by name", () => {
    expect(canonical(requestOf({ ...beta, timeout: "1 minute", maxAttempts: 2 }, alpha))).toEqual({
      gate: "gate",
      steps: [
        {
          name: "alpha",
          handler: "work",
          tenant: "acme",
          payload: { batch: 1 },
          priority: null,
          maxAttempts: null,
          timeout: null,
          stage: "queued",
          after: [{ step: "gate", release: "onTerminal" }],
        },
        {
          name: "beta",
          handler: "work",
          tenant: "acme",
          payload: null,
          priority: 5,
          maxAttempts: 2,
          timeout: 60_000,
          stage: "queued",
          after: [
            { step: "alpha", release: "onTerminal" },
            { step: "gate", release: "onTerminal" },
          ],
        },
      ],
    });
  });

  test("the order of steps, of dependencies and of the payload's keys does not matter", () => {
    const step = fc.record({
      name: fc
        .uniqueArray(fc.constantFrom("a", "b", "c", "d", "é", "Z"), { minLength: 1, maxLength: 1 })
        .map(String),
      handler: fc.constantFrom("work", "rest"),
      payload: fc.jsonValue(),
      after: fc.uniqueArray(fc.constantFrom("x", "y", "z", "gate")),
      priority: fc.option(fc.integer()),
    });
    const steps = fc.uniqueArray(step, { selector: ({ name }) => name, minLength: 1, maxLength: 5 });
    const reversed = (value: unknown): unknown => {
      if (typeof value !== "object" || value === null) return value;
      if (Array.isArray(value)) return value.map(reversed);
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, inner]) => [key, reversed(inner)]),
      );
    };
    fc.assert(
      fc.property(steps, (given) => {
        const other = [...given]
          .reverse()
          .map((one) => ({ ...one, after: [...one.after].reverse(), payload: reversed(one.payload) }));
        expect(isSame(requestOf(...given), requestOf(...other))).toBe(true);
      }),
    );
  });

  test("what is absent, null, and said as it would be without, is the same", () => {
    const said = {
      tenant: TENANT,
      stage: "queued",
      payload: null,
      priority: null,
      maxAttempts: null,
      timeout: null,
    };
    const bare: AppendedStep = { name: "alpha", handler: "work" };
    expect(isSame(requestOf(bare), requestOf({ ...bare, ...said, after: [] }))).toBe(true);
    expect(isSame(requestOf({ ...bare, timeout: "1m" }), requestOf({ ...bare, timeout: 60_000 }))).toBe(true);
    expect(isSame(requestOf({ ...bare, payload: -0 }), requestOf({ ...bare, payload: 0 }))).toBe(true);
  });

  test.each<[string, unknown]>([
    [
      "unsorted",
      { gate: "gate", steps: [canonical(requestOf(beta)).steps[0], canonical(requestOf(alpha)).steps[0]] },
    ],
    [
      "without tenant, with a null stage, without releases",
      {
        gate: "gate",
        steps: [
          {
            name: "beta",
            handler: "work",
            priority: 5,
            stage: null,
            after: [{ step: "gate" }, { step: "alpha" }],
          },
          { name: "alpha", handler: "work", payload: { batch: 1 }, stage: null, after: ["gate"] },
        ],
      },
    ],
    ["without a gate", { steps: canonical(requestOf(alpha, beta)).steps }],
  ])("a request that was stored %s still matches", (_how, older) => {
    expect(isSameRequest(readStored(stored(older), TENANT), canonical(requestOf(alpha, beta)))).toBe(true);
  });

  test.each<[string, AppendRequest]>([
    ["gate", { ...requestOf(alpha, beta), gate: "other" }],
    ["name", requestOf(alpha, { ...beta, name: "gamma" })],
    ["handler", requestOf(alpha, { ...beta, handler: "rest" })],
    ["tenant", requestOf(alpha, { ...beta, tenant: "other" })],
    ["payload", requestOf({ ...alpha, payload: { batch: 2 } }, beta)],
    ["priority", requestOf(alpha, { ...beta, priority: 6 })],
    ["attempts", requestOf(alpha, { ...beta, maxAttempts: 3 })],
    ["timeout", requestOf(alpha, { ...beta, timeout: 1 })],
    ["stage", requestOf(alpha, { ...beta, stage: "late" })],
    ["dependencies", requestOf(alpha, { ...beta, after: ["alpha"] })],
    ["release", requestOf(alpha, { ...beta, after: ["alpha", { step: "gate", release: "onSuccess" }] })],
    ["steps", requestOf(alpha)],
  ])("another %s is another request", (_what, other) => {
    expect(isSame(requestOf(alpha, beta), other)).toBe(false);
  });
});

describe("what does not fit the graph is refused, by name", () => {
  const shape = {
    steps: [
      { name: "first", gate: false, after: [] },
      { name: "gate", gate: true, after: [] },
    ],
    handlers: ["work"],
  };
  const before = [canonical(requestOf({ name: "earlier", handler: "work" }))];
  const check = (request: AppendRequest) => checkAppend(shape, before, canonical(request), TENANT);

  test("steps that wait for each other's, appended and defined steps fit", () => {
    expect(() => check(requestOf(beta, { ...alpha, after: ["first", "earlier", "gate"] }))).not.toThrow();
  });

  test.each<[string, AppendRequest, string]>([
    ["an unknown gate", { ...requestOf(alpha), gate: "door" }, 'the graph has no gate "door"'],
    [
      "a step in the place of a gate",
      { ...requestOf(alpha), gate: "first" },
      'the graph has no gate "first"',
    ],
    ["no steps", requestOf(), "there are none"],
    ["a defined step's name", requestOf({ ...alpha, name: "first" }), 'the graph has a step "first" already'],
    [
      "an appended step's name",
      requestOf({ ...alpha, name: "earlier" }),
      'the graph has a step "earlier" already',
    ],
    ["one name twice", requestOf(alpha, alpha), 'two of them are called "alpha"'],
    ["a name of the graph's own", requestOf({ ...alpha, name: "graph" }), 'no step can be called "graph"'],
    ["a name that numbers repeats", requestOf({ ...alpha, name: "a#2" }), '"a#2" must not hold "#"'],
    ["an unknown handler", requestOf({ ...alpha, handler: "play" }), 'step "alpha" has the handler "play"'],
    ["an unknown dependency", requestOf({ ...alpha, after: ["nobody"] }), 'step "alpha" waits for "nobody"'],
    [
      "a dependency named twice",
      requestOf({ ...alpha, after: ["gate", "gate"] }),
      'step "alpha" names "gate" twice',
    ],
    ["another tenant", requestOf({ ...alpha, tenant: "other" }), 'step "alpha" is for the tenant "other"'],
    [
      "a cycle",
      requestOf({ ...alpha, after: ["beta"] }, beta),
      'they wait for each other: "alpha" → "beta" → "alpha"',
    ],
    ["a step that waits for itself", requestOf({ ...alpha, after: ["alpha"] }), '"alpha" → "alpha"'],
  ])("%s", (_what, request, problem) => {
    expect(() => check(request)).toThrow(expect.objectContaining({ code: "invalid_append" }));
    expect(() => check(request)).toThrow(problem);
  });

  test("a payload that cannot be stored is refused with its step and its path", () => {
    const request = requestOf({ ...alpha, payload: { text: "\u0000" } });
    expect(() => canonical(request)).toThrow(expect.objectContaining({ code: "unstorable_value" }));
    expect(() => canonical(request)).toThrow('The payload of step "alpha"');
  });
});
