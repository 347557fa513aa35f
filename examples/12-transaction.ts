// Exactly once, for what is in the same Postgres: the rows, the event and the line in the journal commit together or
// not at all. `tx` is a Drizzle transaction. Talk to nothing else inside: its locks are held until the body returns.
import { sql } from "drizzle-orm";
import { defineWorkflow } from "pawl";
import * as z from "zod";

const Sale = z.object({ sku: z.string().min(1), quantity: z.int().positive() });

export const sellFromStock = defineWorkflow(
  { name: "sell-from-stock", version: 1, input: Sale },
  async ({ input: { sku, quantity }, step, run }) => {
    const left = await step.transaction(
      "take from stock",
      async (tx, { emit }) => {
        const { rows } = await tx.execute<{ left: number }>(sql`
          update stock set pieces = pieces - ${quantity}
          where sku = ${sku} and pieces >= ${quantity} returning pieces as left`);
        const [row] = rows;
        if (row === undefined) return null;
        await tx.execute(
          sql`insert into sales (run_id, sku, quantity) values (${run.id}, ${sku}, ${quantity})`,
        );
        // Goes out if and only if this transaction commits.
        emit({ type: "stock.sold", subject: sku, data: { quantity, left: row.left } });
        return row.left;
      },
      // What Postgres rejects as a conflict is done again, up to five times in one attempt.
      { isolation: "serializable" },
    );

    // Outside a transaction, the commit of the turn carries the event: it costs no turn of its own.
    if (left === null) await step.emit("tell buyers", { type: "stock.short", subject: sku });
    return { left };
  },
);
