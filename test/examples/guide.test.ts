/** Every snippet of `docs/workflows.md` is code that compiles, and every link of the guides leads somewhere. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const GUIDE = "docs/workflows.md";
const DOCUMENTS = [GUIDE, "docs/guarantees.md", "examples/README.md", "README.md"];

/** What the guide says of its snippets, as types. A snippet with imports of its own stands alone. */
const AROUND = (snippet: string) => `
import { sql } from "drizzle-orm";
import {
  ChildFailed, defineGraph, defineWorkflow, NonRetryableError, RetryableError, type RunFacts, type StepContext,
  StepFailed, type Steps, sequence, type Workflow,
} from "pawl";
import * as z from "zod";
declare const step: Steps;
declare const run: RunFacts;
declare const input: { orderId: string; email: string; amount: number; skus: string[] };
declare function post(path: string, body: unknown, call: Pick<StepContext, "idempotencyKey" | "signal">): Promise<{ id: string }>;
declare const printLabel: Workflow<{ orderId: string }, string>;
declare const archive: Workflow<{ label: string }>;
export async function snippet() {
${snippet}
}
export const unused = [sql, ChildFailed, defineGraph, defineWorkflow, NonRetryableError, RetryableError, StepFailed, sequence, z];
`;

function snippetsOf(text: string): Map<string, string> {
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```$/gms)];
  return new Map(
    blocks.map(({ 1: code = "", index }) => {
      const line = text.slice(0, index).split("\n").length;
      return [resolve(`test/examples/line-${line}.ts`), /^import /m.test(code) ? code : AROUND(code)];
    }),
  );
}

test("every snippet of the guide compiles", () => {
  const snippets = snippetsOf(readFileSync(GUIDE, "utf8"));
  expect(snippets.size).toBeGreaterThan(20);
  const { config } = ts.readConfigFile("tsconfig.json", ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, ".");
  const settings = { ...options, noUnusedLocals: false, noUnusedParameters: false };
  const host = ts.createCompilerHost(settings);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => snippets.has(name) || fileExists(name);
  host.readFile = (name) => snippets.get(name) ?? readFile(name);
  host.getSourceFile = (name, target, ...rest) => {
    const code = snippets.get(name);
    return code === undefined
      ? getSourceFile(name, target, ...rest)
      : ts.createSourceFile(name, code, target);
  };
  const program = ts.createProgram([...snippets.keys()], settings, host);
  const problems = ts
    .getPreEmitDiagnostics(program)
    .filter(({ file }) => file !== undefined && snippets.has(file.fileName))
    .map(
      ({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`,
    );
  expect(problems).toEqual([]);
}, 60_000);

/** GitHub's: lower case, no punctuation, spaces to hyphens. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

test.each(DOCUMENTS)("every link of %s leads somewhere", (document) => {
  const text = readFileSync(document, "utf8");
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
  const broken = links.filter((link) => {
    if (/^https?:/.test(link)) return false;
    const [path = "", anchor] = link.split("#");
    const file = path === "" ? document : join(dirname(document), path);
    if (!existsSync(file)) return true;
    if (anchor === undefined) return false;
    const headings = [...readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      anchorOf(title),
    );
    return !headings.includes(anchor);
  });
  expect(broken).toEqual([]);
});

/** A row of the table of limits: `| what | limit | [NAME](file) |`. */
const LIMIT = /^\| [^|]+ \| ([^|]+) \| \[`(\w+)`\]\(\.\.\/([^)]+)\) \|$/gm;

test("the limits in the guarantees are those in the code", () => {
  const rows = [...readFileSync("docs/guarantees.md", "utf8").matchAll(LIMIT)];
  expect(rows.length).toBeGreaterThan(15);
  const wrong = rows.flatMap(([, said = "", name = "", file = ""]) => {
    const text = readFileSync(file, "utf8");
    const [, given] = new RegExp(`\\b${name}(?: =|",) ([\\d_* ]+)`).exec(text) ?? [];
    const value = given
      ?.replaceAll("_", "")
      .split("*")
      .reduce((product, factor) => product * Number(factor), 1);
    const shown = value?.toLocaleString("en-US");
    return shown !== undefined && new RegExp(`(^|[^\\d,])${shown}($|[^\\d,])`).test(said)
      ? []
      : [`${name}: ${shown}`];
  });
  expect(wrong).toEqual([]);
});
