// Reads CSV as RFC 4180 has it: quoted fields may hold commas, doubled quotes and line breaks.

/** One record per line, its fields under the names of the header line. */
export function parseCsv(text: string): Record<string, string>[] {
  const [header, ...lines] = parseLines(text.replace(/^\uFEFF/, ""));
  if (!header) return [];
  return lines.map((fields, index) => {
    if (fields.length !== header.length) {
      throw new Error(`Record ${index + 1} has ${fields.length} fields, the header has ${header.length}.`);
    }
    return Object.fromEntries(header.map((name, column) => [name, fields[column] ?? ""]));
  });
}

function parseLines(text: string): string[][] {
  // A field, quoted or plain, and what ends it: a comma, a line break or the end of the text.
  const field = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;
  const lines: string[][] = [];
  let line: string[] = [];
  while (field.lastIndex < text.length || line.length > 0) {
    const at = field.lastIndex;
    const match = field.exec(text);
    if (!match) throw new Error(`The CSV is broken at character ${at + 1}.`);
    const [, quoted, plain, end] = match;
    line.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
    if (end === ",") continue;
    const isBlank = line.length === 1 && line[0] === "";
    if (!isBlank) lines.push(line);
    line = [];
  }
  return lines;
}
