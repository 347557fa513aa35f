import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";

/** What is served, and nothing else: `/dashboard/app.js` is the file `dashboard/app.js` in here. */
const root = join(import.meta.dirname, "../../dashboard/public");

const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
const scripts = files.filter((file) => file.endsWith(".js"));
const page = read("dashboard/index.html");

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

function importsOf(script: string): string[] {
  const imports = read(script).matchAll(/^import [^"';]*"([^"]+)";$/gm);
  return [...imports].map(([, path = ""]) => path);
}

describe("the files", () => {
  test("lie under /dashboard/, so that they shadow no route of the API", () => {
    expect(files.filter((file) => !file.startsWith("dashboard/"))).toEqual(["_headers"]);
    expect(scripts).toContain("dashboard/app.js");
  });

  test("are all there that the page names, by paths of our own", () => {
    const named = [...page.matchAll(/\s(?:src|href)="([^"#][^"]*)"/g)].map(([, path = ""]) => path);
    expect(named).toContain("/dashboard/app.js");
    for (const path of named) expect(files).toContain(path.replace(/^\//, ""));
  });

  test.each(scripts)("%s imports only files that are there", (script) => {
    for (const path of importsOf(script)) {
      expect(path).toMatch(/^\.\.?\/.*\.js$/);
      expect(existsSync(join(root, dirname(script), path)), path).toBe(true);
    }
  });

  test("are all needed", () => {
    const needed = new Set(["dashboard/app.js"]);
    for (const script of needed) {
      for (const path of importsOf(script)) needed.add(join(dirname(script), path));
    }
    expect([...needed].sort()).toEqual([...scripts].sort());
  });

  test("are less than 30 KB on their way", () => {
    const sizes = files.map((file) => gzipSync(read(file)).length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(30 * 1024);
  });
});

describe("the page", () => {
  test("has no script, style or event handler of its own", () => {
    expect(page).not.toMatch(/<style|\sstyle=|\son\w+\s*=|javascript:/i);
    const scripts = [...page.matchAll(/<script([^>]*)>([^<]*)<\/script>/g)];
    expect(scripts.map(([, props, text]) => [props?.trim(), text])).toEqual([
      ['type="module" src="/dashboard/app.js"', ""],
    ]);
  });

  test("asks nobody else for anything", () => {
    for (const file of files.filter((file) => !file.endsWith(".svg"))) {
      const foreign = read(file).match(/(?:["'(]|@import\s*)(?:https?:)?\/\/[^\s"')]+/g) ?? [];
      // Only as an example of a URL, in the curl line.
      expect(foreign.filter((text) => text !== '"https://example.com')).toEqual([]);
    }
  });

  test.each(scripts)("%s shows values as text and runs no text", (script) => {
    expect(read(script)).not.toMatch(
      /\bimport\(|^export [^;]* from |innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc|\beval\b|new Function|setTimeout\(["'`]|\.style\b|cssText/m,
    );
  });

  test("sends the token in a header, and keeps it for one tab", () => {
    const all = scripts.map(read).join("\n");
    expect(all).not.toMatch(/localStorage|document\.cookie|[?&]token=/);
    const users = scripts.filter((script) => /sessionStorage\.|\btoken\(\)/.test(read(script)));
    expect(users.sort()).toEqual(["dashboard/api.js", "dashboard/app.js", "dashboard/session.js"]);
  });
});

describe("the headers", () => {
  const rules = new Map<string, Map<string, string>>();
  let rule = new Map<string, string>();
  for (const line of read("_headers").split("\n")) {
    const [, name, value] = /^\s+([\w-]+): (.+)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) rule.set(name, value);
    else if (line.startsWith("/")) {
      rule = new Map();
      rules.set(line, rule);
    }
  }

  test("cover every file", () => {
    expect(Object.fromEntries(rules.get("/dashboard/*") ?? [])).toMatchObject({
      "Strict-Transport-Security": expect.stringContaining("max-age="),
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
      "Permissions-Policy": expect.stringContaining("camera=()"),
      "Cross-Origin-Opener-Policy": "same-origin",
    });
    expect(rules.get("/dashboard/")?.get("Cache-Control")).toBe("no-store");
  });

  test("forbid whatever is not a file of ours", () => {
    const policy = rules.get("/dashboard/*")?.get("Content-Security-Policy") ?? "";
    const directives = policy.split("; ").map((directive) => directive.split(" "));
    expect(Object.fromEntries(directives.map(([name, ...values]) => [name, values.join(" ")]))).toEqual({
      "default-src": "'none'",
      "script-src": "'self'",
      "style-src": "'self'",
      "img-src": "'self'",
      "connect-src": "'self'",
      "base-uri": "'none'",
      "form-action": "'none'",
      "frame-ancestors": "'none'",
      "require-trusted-types-for": "'script'",
      "trusted-types": "'none'",
    });
  });
});
