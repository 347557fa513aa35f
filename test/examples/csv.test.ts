import { describe, expect, test } from "vitest";
import { parseCsv } from "../../src/workflows/csv.ts";

describe("parseCsv", () => {
  test("names each field by the header line", () => {
    expect(parseCsv("id,name\n1,Ada\n2,Grace")).toEqual([
      { id: "1", name: "Ada" },
      { id: "2", name: "Grace" },
    ]);
  });

  test("keeps commas, doubled quotes and line breaks inside quotes", () => {
    const text = 'id,name,note\n1,"Smith, John ""Jack"", Jr.","first\nsecond\r\nthird"\n';
    expect(parseCsv(text)).toEqual([
      { id: "1", name: 'Smith, John "Jack", Jr.', note: "first\nsecond\r\nthird" },
    ]);
  });

  test("reads CRLF, LF and CR line ends alike, with and without one at the end", () => {
    const expected = [{ a: "1", b: "2" }];
    for (const text of ["a,b\r\n1,2\r\n", "a,b\n1,2\n", "a,b\r1,2\r", "a,b\r\n1,2"]) {
      expect(parseCsv(text)).toEqual(expected);
    }
  });

  test("drops a byte order mark, and only at the start", () => {
    expect(parseCsv("\uFEFFid,name\n1,\uFEFFAda")).toEqual([{ id: "1", name: "\uFEFFAda" }]);
    expect(parseCsv('\uFEFF"id"\n1')).toEqual([{ id: "1" }]);
  });

  test("keeps empty fields, the last one too", () => {
    expect(parseCsv('a,b,c\n,"",\n1,,')).toEqual([
      { a: "", b: "", c: "" },
      { a: "1", b: "", c: "" },
    ]);
  });

  test("passes over blank lines and gives nothing for nothing", () => {
    expect(parseCsv("a\n\n1\n\n")).toEqual([{ a: "1" }]);
    expect(parseCsv("")).toEqual([]);
    expect(parseCsv("a,b\n")).toEqual([]);
  });

  test("says where a broken text is broken", () => {
    expect(() => parseCsv('a,b\n1,"open')).toThrow("character 7");
    expect(() => parseCsv('a,b\n1,"closed" early')).toThrow("character 7");
    expect(() => parseCsv('a,b\n1,in"side')).toThrow("character 7");
    expect(() => parseCsv("a,b\n1,2\n3")).toThrow("Record 2 has 1 fields, the header has 2.");
  });

  test("reads a large quoted field", () => {
    const note = 'a ""quoted"" word, '.repeat(50_000);
    expect(parseCsv(`note\n"${note}"`)).toEqual([{ note: note.replaceAll('""', '"') }]);
  });
});
