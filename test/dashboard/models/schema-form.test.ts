import { describe, expect, test } from "vitest";
import * as z from "zod";
import { exampleOf, fieldsOf, inputText } from "../../../dashboard/src/models/schema-form.ts";

const schema = z.toJSONSchema(
  z.object({
    orderId: z.string(),
    email: z.email(),
    amount: z.int().describe("cents"),
    express: z.boolean().optional(),
    size: z.enum(["S", "L"]),
    lines: z.array(z.object({ sku: z.string(), quantity: z.int().min(1) })),
  }),
);
const fields = fieldsOf(schema) ?? [];

describe("a form from a schema", () => {
  test("has an input for each field, of its kind, with what is required and what it means", () => {
    expect(fields.map(({ name, input, required }) => [name, input, required])).toEqual([
      ["orderId", "text", true],
      ["email", "email", true],
      ["amount", "number", true],
      ["express", "checkbox", false],
      ["size", "select", true],
      ["lines", "json", true],
    ]);
    expect(fields[2]?.hint).toBe("cents");
    expect(fields[4]?.options).toEqual(["S", "L"]);
  });

  test.each([null, {}, { type: "string" }, z.toJSONSchema(z.array(z.string()))])(
    "is none where the input is no object with named fields: %j",
    (given) => {
      expect(fieldsOf(given)).toBeNull();
    },
  );

  test("begins nested fields with something of their shape", () => {
    expect(JSON.parse(fields[5]?.initial ?? "")).toEqual([{ sku: "", quantity: 1 }]);
    expect(exampleOf(schema)).toMatchObject({ orderId: "", amount: 0, size: "S" });
  });
});

describe("the input that a form makes", () => {
  test("leaves out what is optional and empty, and keeps numbers as they were typed", () => {
    const text = inputText(fields, {
      orderId: 'o"1',
      email: "a@b.c",
      amount: "12345678901234567890",
      express: "",
      size: "L",
      lines: "[]",
    });
    expect(text).toBe(
      '{"orderId":"o\\"1","email":"a@b.c","amount":12345678901234567890,"size":"L","lines":[]}',
    );
  });

  test("names the field that is no JSON", () => {
    expect(() => inputText(fields, { lines: "[1," })).toThrow(/^lines: /);
  });
});
