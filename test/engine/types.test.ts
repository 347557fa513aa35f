/** What the compiler infers for those who write workflows. `tsc` is the test; running it proves only that it compiles. */
import { expectTypeOf, test } from "vitest";
import * as z from "zod";
import { defineWorkflow, type Hook, type Workflow } from "../../src/pawl.ts";

const Delivered = z.object({ at: z.string() });

const priced = defineWorkflow(
  { name: "priced", input: z.object({ sku: z.string() }) },
  async ({ input }) => ({ price: input.sku.length }),
);

test("the input's type comes from the schema, the output's from the function", () => {
  expectTypeOf(priced).toEqualTypeOf<Workflow<{ sku: string }, { price: number }>>();
});

test("steps, maps, waits and children give what their bodies, schemas and workflows say", () => {
  defineWorkflow({ name: "types" }, async ({ step, run }) => {
    expectTypeOf(step.run("a", () => 1)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(step.run("a", async () => "x")).toEqualTypeOf<Promise<string>>();
    expectTypeOf(step.map("m", [1, 2], (item) => `${item}`)).toEqualTypeOf<Promise<string[]>>();
    expectTypeOf(step.map("m", ["a"], (item, { index }) => item + index, { tolerate: 1 })).toEqualTypeOf<
      Promise<PromiseSettledResult<string>[]>
    >();
    expectTypeOf(step.waitForSignal("s", { schema: Delivered })).toEqualTypeOf<Promise<{ at: string }>>();
    expectTypeOf(step.waitForSignal("s", { schema: Delivered, timeout: "1 day" })).toEqualTypeOf<
      Promise<{ at: string } | null>
    >();
    expectTypeOf(step.receive("c", { schema: Delivered, timeout: 5 })).toEqualTypeOf<
      Promise<{ at: string } | null>
    >();
    expectTypeOf(step.hook("h")).toEqualTypeOf<Promise<Hook>>();
    expectTypeOf(step.invoke("i", priced, { sku: "PWL" })).toEqualTypeOf<Promise<{ price: number }>>();
    expectTypeOf(step.start("i", priced, { sku: "PWL" })).toEqualTypeOf<Promise<string>>();
    expectTypeOf(step.transaction("t", async () => 7)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(step.now()).toEqualTypeOf<Promise<Date>>();
    expectTypeOf(run.parent).toEqualTypeOf<string | null>();
    // @ts-expect-error the child takes another input
    step.invoke("i", priced, { sku: 7 });
    step.run("a", () => 1, {
      compensate: ({ output }) => expectTypeOf(output).toEqualTypeOf<number>(),
    });
  });
});
