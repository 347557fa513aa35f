import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memberText, parseJsonText, prettyJson } from "../../../dashboard/src/models/json-text.ts";

describe("JSON as text", () => {
  test("keeps numbers as they are written, which JavaScript would round", () => {
    const text = '{"id":12345678901234567890,"tiny":1.00000000000000000001,"big":1e400}';
    expect(prettyJson(parseJsonText(text)).replaceAll(/\s/g, "")).toBe(text);
  });

  test("says the same as a parser does, whatever the value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const printed = prettyJson(parseJsonText(JSON.stringify(value)));
        expect(JSON.parse(printed)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test.each(["", "{", "[1,]", '{"a"}', "1 2", "nul", '"'])("is refused where it is none: %j", (text) => {
    expect(() => parseJsonText(text)).toThrow(SyntaxError);
  });
});

describe("a member of an object", () => {
  test("is given as it stands there", () => {
    const text = '{"a":{"input":1},"input": {"n": 12345678901234567890} ,"z":[]}';
    expect(memberText(text, "input")).toBe('{"n": 12345678901234567890}');
    expect(memberText(text, "z")).toBe("[]");
  });

  test("is null where it is missing, also of an empty object", () => {
    expect(memberText('{"a":1}', "b")).toBeNull();
    expect(memberText("{}", "b")).toBeNull();
  });
});
