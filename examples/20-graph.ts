// Steps that say what they wait for. Each runs as soon as that is done, beside whatever else is under way. A gate is
// opened from outside; while it is closed, more steps can be appended to the run over HTTP.
import { defineGraph } from "pawl";
import * as z from "zod";
import { postToShop } from "../src/workflows/shop.ts";

const Order = z.object({
  orderId: z.string().min(1),
  customer: z.string().min(1),
  email: z.email(),
  sku: z.string().min(1),
});
const Made = z.object({ id: z.string() });

export const customOrder = defineGraph({
  name: "custom-order",
  version: 1,
  input: Order,
  steps: {
    reserve: {
      run: ({ input: { orderId, sku }, ...call }) =>
        postToShop("/reservations", { orderId, lines: [{ sku, quantity: 1 }] }, call),
      stage: "preparing",
    },
    confirm: {
      run: ({ input: { email }, ...call }) =>
        postToShop("/messages", { to: email, text: "On our desk!" }, call),
      optional: true,
    },
    // The signal `finished` opens it.
    finished: { gate: true, after: ["reserve"], timeout: "14 days", stage: "in the workshop" },
    ship: {
      run: ({ input: { orderId, customer }, results, ...call }) => {
        const reservation = Made.parse(results.reserve);
        return postToShop("/shipments", { orderId, customer, reservationId: reservation.id }, call);
      },
      // Also when the confirmation could not be sent.
      after: ["finished", { step: "confirm", release: "onTerminal" }],
      stage: "shipping",
    },
  },
  // What appended steps can do. `payload` is what came with the request.
  handlers: {
    "tell customer": ({ input: { email }, payload, ...call }) =>
      postToShop("/messages", { to: email, text: z.string().parse(payload) }, call),
  },
});
