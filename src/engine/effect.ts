import type { Encoded } from "./codec.ts";
import type { CloudEvent } from "./event.ts";
import type { NewRun } from "./run.ts";

/** What the commit of a turn carries out besides the journal, in the same transaction. */
export type Effect =
  | { readonly kind: "start"; readonly run: NewRun }
  | { readonly kind: "hook"; readonly key: string; readonly digest: string; readonly expiresInMs: number }
  | { readonly kind: "emit"; readonly event: CloudEvent }
  | { readonly kind: "join"; readonly group: string }
  | { readonly kind: "leave"; readonly group: string }
  | { readonly kind: "set"; readonly key: string; readonly value: Encoded }
  | { readonly kind: "append"; readonly key: string; readonly value: Encoded };
