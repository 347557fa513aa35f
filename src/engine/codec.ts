/**
 * Values in and out of the journal. A value that JSON can say is stored as it is (`meta` null); `Date`,
 * `Map`, `Set`, `BigInt`, `undefined`, `NaN`, bytes and the like go through superjson, which keeps a
 * readable `json` and a small `meta` that restores them. What would not come back as it was is refused,
 * naming the path and the remedy.
 *
 * Guards I6: keys are put into jsonb's own order (shorter first, then by bytes), so that a value looks the
 * same to the workflow in the turn that made it and in every replay.
 */
import SuperJSON from "superjson";
import { UnstorableValue } from "./errors.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A value as it is stored. */
export interface Encoded {
  readonly json: Json;
  readonly meta: Json;
}

/** The most bytes one value may take as JSON text. */
export const VALUE_LIMIT_BYTES = 1_000_000;

const DEPTH_LIMIT = 500;

const VIEWS = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
};
type View = InstanceType<(typeof VIEWS)[keyof typeof VIEWS]>;

const superjson = new SuperJSON();
// superjson's own rule for typed arrays loses NaN, -0 and the infinities, and cannot restore BigInts.
superjson.registerCustom<View, { type: keyof typeof VIEWS; base64: string }>(
  {
    isApplicable: isView,
    serialize: (view) => {
      const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
      const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
      return { type: view[Symbol.toStringTag], base64 };
    },
    deserialize: ({ type, base64 }) =>
      new VIEWS[type](Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)).buffer),
  },
  "bytes",
);

/** Throws `UnstorableValue`; `what` names the value in its sentence (`Step "charge card"'s output`). */
export function encode(value: unknown, what: string): Encoded {
  const walk = new Walk(what);
  const copy = walk.copy(value, "", 0);
  const encoded = walk.plain ? { json: copy as Json, meta: null } : restorable(copy, what);
  if (bytesOf(encoded) > VALUE_LIMIT_BYTES) throw tooLarge(what);
  return encoded;
}

/** What a value takes as it is stored. */
export function bytesOf({ json, meta }: Encoded): number {
  return jsonBytes(json) + (meta === null ? 0 : jsonBytes(meta));
}

/** The way back. Every call gives a fresh copy, so nobody can change what somebody else is given. */
export function decode(encoded: Encoded): unknown {
  if (encoded.meta === null) return structuredClone(encoded.json);
  return superjson.deserialize(structuredClone(encoded) as Parameters<typeof superjson.deserialize>[0]);
}

function restorable(copy: unknown, what: string): Encoded {
  try {
    const { json, meta } = superjson.serialize(copy);
    // What is the same object in two places is stored in each: restoring that would reorder Sets and lose items.
    const { referentialEqualities: _, ...restoring } = meta ?? {};
    return { json: new Walk(what).copy(json, "", 0) as Json, meta: restoring as Json };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new UnstorableValue(what, "", `could not be encoded (${problem})`, "Return plain data.");
  }
}

/**
 * One pass over a value, which reads each of its fields once: refuses what cannot be stored, and copies the
 * rest. The copy of a plain value is its JSON; otherwise superjson makes JSON of the copy.
 */
class Walk {
  plain = true;
  /** No more than what the value takes as JSON, so that no endless one is walked to its end. */
  private bytes = 0;
  private readonly above: object[] = [];
  private readonly what: string;
  constructor(what: string) {
    this.what = what;
  }

  copy(value: unknown, path: string, depth: number): unknown {
    this.spend(1);
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "string") return this.text(value, path);
    if (typeof value === "number") {
      return Number.isFinite(value) && !Object.is(value, -0) ? value : this.special(value);
    }
    if (value === undefined || typeof value === "bigint") return this.special(value);
    if (typeof value === "function") this.refuse(path, "is a function", "Return data only.");
    if (typeof value === "symbol") this.refuse(path, "is a symbol", "Return a string instead.");
    return this.object(value as object, path, depth);
  }

  private object(value: object, path: string, depth: number): unknown {
    if (this.above.includes(value)) this.refuse(path, "refers back to itself", "Break the cycle.");
    if (depth > DEPTH_LIMIT) this.refuse(path, `is nested deeper than ${DEPTH_LIMIT} levels`, "Flatten it.");
    this.above.push(value);
    const item = (inner: unknown, at: string) => this.copy(inner, `${path}${at}`, depth + 1);
    try {
      if (Array.isArray(value)) return Array.from(value, (inner, i) => item(inner, `[${i}]`));
      if (value instanceof Map) {
        const entries = Array.from(value, ([k, v], i) => [item(k, `(${i})`), item(v, `(${i})`)] as const);
        return this.special(new Map(entries));
      }
      if (value instanceof Set) {
        return this.special(new Set(Array.from(value, (inner, i) => item(inner, `(${i})`))));
      }
      if (value instanceof Error) return this.special(this.error(value, path, depth));
      if (value instanceof Date && Number.isNaN(value.getTime())) {
        this.refuse(path, "is an invalid date", "Check how it was parsed.");
      }
      if (isView(value)) this.spend(value.byteLength);
      return isLeaf(value) ? this.special(value) : this.record(value, path, depth);
    } finally {
      this.above.pop();
    }
  }

  private record(value: object, path: string, depth: number): Record<string, unknown> {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && prototype !== Object.prototype) {
      const name = (value.constructor as { name?: string } | undefined)?.name || "a class";
      this.refuse(path, `is an instance of ${name}`, "Return a plain object with the fields you need.");
    }
    if (Object.getOwnPropertySymbols(value).length > 0) {
      this.refuse(path, "has a symbol as a key", "Use string keys.");
    }
    const copy: Record<string, unknown> = {};
    for (const key of Object.keys(value).sort(byJsonbOrder)) {
      const item = this.field(value, key, path, depth);
      // Assigning to "__proto__" would set the prototype instead of a key.
      if (key === "__proto__") {
        Object.defineProperty(copy, key, {
          value: item,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      } else copy[this.text(key, path === "" ? key : `${path}.${key}`)] = item;
    }
    return copy;
  }

  private error(error: Error, path: string, depth: number): Error {
    const field = (key: "name" | "message" | "cause") => this.field(error, key, path, depth);
    const message = String(field("message"));
    const copy = "cause" in error ? new Error(message, { cause: field("cause") }) : new Error(message);
    copy.name = String(field("name"));
    return copy;
  }

  private field(value: object, key: string, path: string, depth: number): unknown {
    const at = path === "" ? key : `${path}.${key}`;
    let item: unknown;
    try {
      item = (value as Record<string, unknown>)[key];
    } catch {
      this.refuse(at, "is a getter that throws", "Return plain data.");
    }
    return this.copy(item, at, depth + 1);
  }

  private text(text: string, path: string): string {
    this.spend(text.length);
    if (text.includes("\u0000"))
      this.refuse(path, "holds the character U+0000", "Remove it; Postgres cannot store it.");
    if (!text.isWellFormed()) this.refuse(path, "holds half of a surrogate pair", "Use toWellFormed().");
    return text;
  }

  private special<T>(value: T): T {
    this.plain = false;
    return value;
  }

  private spend(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > VALUE_LIMIT_BYTES) throw tooLarge(this.what);
  }

  private refuse(path: string, problem: string, remedy: string): never {
    throw new UnstorableValue(this.what, path, problem, remedy);
  }
}

function tooLarge(what: string): UnstorableValue {
  const remedy = "Store it elsewhere (R2, a table of yours) and return a reference.";
  return new UnstorableValue(what, "", `is larger than ${VALUE_LIMIT_BYTES} bytes`, remedy);
}

function isView(value: unknown): value is View {
  return ArrayBuffer.isView(value) && Object.hasOwn(VIEWS, (value as View)[Symbol.toStringTag]);
}

function isLeaf(value: object): boolean {
  return value instanceof Date || value instanceof RegExp || value instanceof URL || isView(value);
}

const utf8 = new TextEncoder();

/** What a value takes as JSON text, in UTF-8. */
export function jsonBytes(json: Json): number {
  const text = JSON.stringify(json);
  // A UTF-16 unit takes at most three bytes, so short texts need not be encoded to be measured.
  return text.length * 3 <= VALUE_LIMIT_BYTES / 2 ? text.length : utf8.encode(text).length;
}

/** Postgres orders the keys of a jsonb object by their length in bytes, then byte by byte. */
function byJsonbOrder(a: string, b: string): number {
  const ascii = /^[\x20-\x7e]*$/;
  if (ascii.test(a) && ascii.test(b)) return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
  const [x, y] = [utf8.encode(a), utf8.encode(b)];
  if (x.length !== y.length) return x.length - y.length;
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return (x[i] ?? 0) - (y[i] ?? 0);
  return 0;
}
