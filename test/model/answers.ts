/** The kinds of answers that verbs give, as far as they are told apart. */
/** The words of `told`, for an answer of this type. */
export type Told<A> = A extends null
  ? "null"
  : A extends boolean
    ? `${A}`
    : A extends string
      ? A
      : A extends readonly (infer Each)[]
        ? Told<Each> | "nothing"
        : A extends { readonly result: infer Result extends string }
          ? Result
          : A extends { readonly sent: readonly (infer Each)[] }
            ? Told<Each>
            : A extends { readonly found: infer Found extends boolean }
              ? `${Found}`
              : A extends { readonly created: boolean }
                ? "created" | "found"
                : A extends number | Listing
                  ? "something" | "nothing"
                  : A extends object
                    ? "something"
                    : "done";

/** An answer that is as much as its lists hold. */
type Listing = {
  readonly [Name in (typeof LISTS)[number]]: { readonly [_ in Name]: readonly unknown[] };
}[(typeof LISTS)[number]];

const LISTS = ["claimed", "turns", "due"] as const;

/** The words that say what kind of answer it is. `nothing`: zero, or lists without items. */
export function told(answer: unknown): string[] {
  if (answer === undefined) return ["done"];
  if (typeof answer === "number") return [answer > 0 ? "something" : "nothing"];
  if (Array.isArray(answer)) return answer.length === 0 ? ["nothing"] : answer.flatMap(told);
  if (typeof answer !== "object" || answer === null) return [String(answer)];
  if ("result" in answer) return [String(answer.result)];
  if ("sent" in answer) return told(answer.sent);
  if ("found" in answer) return [String(answer.found)];
  if ("created" in answer) return [answer.created ? "created" : "found"];
  const lists = Object.entries(answer).filter(([name]) => (LISTS as readonly string[]).includes(name));
  return [lists.length > 0 && lists.every(([, list]) => list.length === 0) ? "nothing" : "something"];
}
