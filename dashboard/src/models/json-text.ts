/**
 * JSON as it was sent. A number that JavaScript would round, such as an id of 20 digits, stays as it is written.
 */
export type JsonNode =
  | { readonly kind: "object"; readonly members: readonly (readonly [string, JsonNode])[] }
  | { readonly kind: "array"; readonly items: readonly JsonNode[] }
  | { readonly kind: "string" | "number" | "word"; readonly text: string };

/** Throws a SyntaxError for what is not JSON. */
export function parseJsonText(text: string): JsonNode {
  const reader = new Reader(text);
  const node = reader.value();
  reader.end();
  return node;
}

/** The text of one member of a JSON object, as it stands in it; null where it is missing. */
export function memberText(text: string, name: string): string | null {
  const reader = new Reader(text);
  return reader.member(name);
}

const TOKEN = /\s*([[\]{},:]|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)\s*/y;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): JsonNode {
    const token = this.#next();
    if (token === "{") return { kind: "object", members: this.#members() };
    if (token === "[") return { kind: "array", items: this.#items() };
    if (token.startsWith('"')) return { kind: "string", text: JSON.parse(token) };
    if (/^[-\d]/.test(token)) return { kind: "number", text: token };
    if (/^[tfn]/.test(token)) return { kind: "word", text: token };
    throw this.#unexpected(token);
  }

  member(name: string): string | null {
    this.#expect("{");
    if (this.#takes("}")) return null;
    do {
      const key: string = JSON.parse(this.#next());
      this.#expect(":");
      const start = this.#at;
      this.#skip();
      if (key === name) return this.#text.slice(start, this.#at).trim();
    } while (this.#takes(","));
    return null;
  }

  end(): void {
    if (this.#at < this.#text.length) throw this.#unexpected(this.#text.slice(this.#at, this.#at + 10));
  }

  #members(): [string, JsonNode][] {
    const members: [string, JsonNode][] = [];
    if (this.#takes("}")) return members;
    do {
      const key: string = JSON.parse(this.#next());
      this.#expect(":");
      members.push([key, this.value()]);
    } while (this.#takes(","));
    this.#expect("}");
    return members;
  }

  #items(): JsonNode[] {
    const items: JsonNode[] = [];
    if (this.#takes("]")) return items;
    do items.push(this.value());
    while (this.#takes(","));
    this.#expect("]");
    return items;
  }

  /** Passes over one value without keeping it. */
  #skip(): void {
    let depth = 0;
    do {
      const token = this.#next();
      if (token === "{" || token === "[") depth += 1;
      else if (token === "}" || token === "]") depth -= 1;
    } while (depth > 0);
  }

  #takes(token: string): boolean {
    const before = this.#at;
    if (this.#next() === token) return true;
    this.#at = before;
    return false;
  }

  #expect(token: string): void {
    const found = this.#next();
    if (found !== token) throw this.#unexpected(found);
  }

  #next(): string {
    TOKEN.lastIndex = this.#at;
    const [all, token] = TOKEN.exec(this.#text) ?? [];
    if (all === undefined || token === undefined)
      throw this.#unexpected(this.#text.slice(this.#at, this.#at + 10));
    this.#at += all.length;
    return token;
  }

  #unexpected(found: string): SyntaxError {
    return new SyntaxError(`position ${this.#at}: did not expect ${found === "" ? "the end" : found}`);
  }
}

/** With line breaks and two spaces a level. */
export function prettyJson(node: JsonNode, indent = ""): string {
  const deeper = `${indent}  `;
  if (node.kind === "object") {
    const members = node.members.map(
      ([key, value]) => `${deeper}${JSON.stringify(key)}: ${prettyJson(value, deeper)}`,
    );
    return members.length === 0 ? "{}" : `{\n${members.join(",\n")}\n${indent}}`;
  }
  if (node.kind === "array") {
    const items = node.items.map((item) => `${deeper}${prettyJson(item, deeper)}`);
    return items.length === 0 ? "[]" : `[\n${items.join(",\n")}\n${indent}]`;
  }
  return node.kind === "string" ? JSON.stringify(node.text) : node.text;
}
