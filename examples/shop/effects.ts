// What the shop can do, and the ledger of what it really did. A request with an idempotency key that
// was seen before gets the same object again; the effect does not happen a second time.
import * as z from "zod";
import { type Answer, refusal } from "./http.ts";

/** Charges above this many cents are declined. */
const CARD_LIMIT = 1_000_000;
/** The one article that can never be reserved. */
const SOLD_OUT_SKU = "SOLD-OUT";

const OrderId = z.string().min(1);
const Line = z.object({ sku: z.string().min(1), quantity: z.int().positive() });

const kinds = {
  charges: {
    idPrefix: "pay",
    schema: z.object({ orderId: OrderId, email: z.email(), amount: z.int().nonnegative() }),
  },
  reservations: { idPrefix: "res", schema: z.object({ orderId: OrderId, lines: z.array(Line).min(1) }) },
  shipments: {
    idPrefix: "shp",
    schema: z.object({ orderId: OrderId, reservationId: z.string().min(1), customer: z.string().min(1) }),
  },
  messages: { idPrefix: "msg", schema: z.object({ to: z.email(), text: z.string().min(1) }) },
};

type Kind = keyof typeof kinds;
type Body = z.infer<(typeof kinds)[Kind]["schema"]>;

/** One thing that really happened; `asked` counts every request for it, refused and repeated ones too. */
export type Effect = Readonly<{
  id: string;
  kind: Kind;
  idempotencyKey: string | null;
  asked: number;
  body: Body;
}>;

export function isKind(name: string): name is Kind {
  return Object.hasOwn(kinds, name);
}

/** The shop's memory: gone when the service stops. */
export class Effects {
  readonly #effects: Effect[] = [];
  readonly #byKey = new Map<string, Effect>();
  readonly #asked = new Map<string, number>();

  /** Counts a request for an effect, whatever becomes of it. */
  countAsked(kind: Kind, idempotencyKey: string | null): void {
    const key = keyOf(kind, idempotencyKey);
    this.#asked.set(key, (this.#asked.get(key) ?? 0) + 1);
  }

  /** Makes the effect happen, or answers as before, or says why not. */
  perform(kind: Kind, idempotencyKey: string | null, request: unknown): Answer {
    const parsed = kinds[kind].schema.safeParse(request);
    if (!parsed.success) return refusal(400, z.prettifyError(parsed.error));
    const body = parsed.data;
    const key = keyOf(kind, idempotencyKey);
    const earlier = idempotencyKey === null ? undefined : this.#byKey.get(key);
    if (earlier) {
      // The schema puts fields into its own order, so equal requests have equal texts.
      const isSame = JSON.stringify(earlier.body) === JSON.stringify(body);
      if (!isSame) return refusal(409, "This idempotency key belongs to another request.");
      return { status: 200, body: { id: earlier.id } };
    }
    const reason = reasonToRefuse(body);
    if (reason) return refusal(422, reason);

    const id = `${kinds[kind].idPrefix}_${this.#effects.length + 1}`;
    const effect: Effect = { id, kind, idempotencyKey, asked: 1, body };
    this.#effects.push(effect);
    this.#byKey.set(key, effect);
    return { status: 201, body: { id } };
  }

  /** Every effect that happened, oldest first. */
  ledger(): Effect[] {
    return this.#effects.map((effect) => {
      const asked = this.#asked.get(keyOf(effect.kind, effect.idempotencyKey)) ?? 1;
      return effect.idempotencyKey === null ? effect : { ...effect, asked };
    });
  }
}

function keyOf(kind: Kind, idempotencyKey: string | null): string {
  return `${kind}:${idempotencyKey}`;
}

function reasonToRefuse(body: Body): string | null {
  if ("amount" in body && body.amount > CARD_LIMIT) return "The card was declined.";
  if ("lines" in body && body.lines.some((line) => line.sku === SOLD_OUT_SKU)) {
    return `The article ${SOLD_OUT_SKU} is sold out.`;
  }
  return null;
}
