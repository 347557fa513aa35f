import { describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import { WorkflowNotFound } from "../../src/engine/refusals.ts";
import { defineWorkflow, Registry, type Workflow } from "../../src/engine/workflow.ts";

const named = (name: string, version?: number) =>
  defineWorkflow(version === undefined ? { name } : { name, version }, async () => name);

describe("defineWorkflow", () => {
  test("infers the input from the schema, the output from the function, and a step's result from its body", () => {
    const Order = z.object({ id: z.string(), at: z.string().transform((text) => new Date(text)) });
    const fulfil = defineWorkflow({ name: "fulfil", input: Order }, async ({ input, step, run }) => {
      expectTypeOf(input).toEqualTypeOf<{ id: string; at: Date }>();
      expectTypeOf(run.startedAt).toEqualTypeOf<Date>();
      const charge = await step.run("charge", () => ({ cents: 5 }));
      expectTypeOf(charge).toEqualTypeOf<{ cents: number }>();
      expectTypeOf(step.run("later", async () => "x")).resolves.toEqualTypeOf<string>();
      expectTypeOf(step.sleep("wait", "1 day")).resolves.toEqualTypeOf<void>();
      return [charge.cents] as const;
    });
    expectTypeOf(fulfil).toEqualTypeOf<Workflow<{ id: string; at: Date }, readonly [number]>>();
    expect(fulfil).toMatchObject({ name: "fulfil", version: 1, schema: Order });
  });

  test("without a schema the input is unknown", () => {
    const anything = defineWorkflow({ name: "any", version: 3 }, async ({ input }) => {
      expectTypeOf(input).toBeUnknown();
    });
    expectTypeOf(anything).toEqualTypeOf<Workflow<unknown, void>>();
    expect(anything).toMatchObject({ version: 3, schema: undefined });
  });

  test.each([[""], ["Fulfil"], ["a b"], ["a/b"], ["-a"], ["a\u0000"], ["ä"], ["a".repeat(101)]])(
    "refuses the name %j",
    (name) => {
      expect(() => named(name)).toThrow(/must be lower-case letters/);
    },
  );

  test.each([[0], [-1], [1.5], [Number.NaN], [Number.POSITIVE_INFINITY]])("refuses version %d", (version) => {
    expect(() => named("a", version)).toThrow(/whole number from 1/);
  });
});

describe("Registry", () => {
  const old = named("a", 1);
  const newest = named("a", 10);
  const middle = named("a", 2);
  const other = named("b");
  const registry = new Registry([old, newest, middle, other]);

  test("finds the newest version when none is named, whatever the order of registration", () => {
    expect(registry.find("a")).toBe(newest);
    expect(registry.find("a", 2)).toBe(middle);
    expect(registry.find("b", 1)).toBe(other);
  });

  test.each<[string, number | undefined]>([
    ["c", undefined],
    ["a", 3],
    ["constructor", undefined],
    ["__proto__", 1],
  ])("says what is registered when there is no %j version %s", (name, version) => {
    expect(() => registry.find(name, version)).toThrow(WorkflowNotFound);
    expect(() => registry.find(name, version)).toThrow('Registered: "a", "b".');
  });

  test("says so when nothing is registered", () => {
    expect(() => new Registry([]).find("a")).toThrow("Registered: none.");
  });

  test("refuses two workflows of one name and version", () => {
    expect(() => new Registry([old, named("a", 1)])).toThrow('Workflow "a" version 1 is registered twice.');
  });

  test("lists by name, newest version first", () => {
    expect(registry.list()).toEqual([newest, middle, old, other]);
  });
});
