// Reads a feed page by page, one step per page, into a table of your own. A page that is tried again
// writes the same rows again, which the primary key makes harmless.
import { defineWorkflow } from "pawl";
import * as z from "zod";
import { parseCsv } from "./csv.ts";
import { sql } from "./database.ts";
import { errorFrom } from "./shop.ts";

const Feed = z.object({ url: z.url(), importId: z.string().min(1).optional() });

export const importFeed = defineWorkflow(
  { name: "import-feed", version: 1, input: Feed },
  async ({ input, step, run }) => {
    const importId = input.importId ?? run.id;
    await step.run("create table", createTable);

    let url: string | null = input.url;
    let pages = 0;
    let rows = 0;
    while (url !== null) {
      const pageUrl: string = url;
      const page = await step.run("import page", ({ signal }) => importPage(importId, pageUrl, signal));
      url = page.next;
      pages += 1;
      rows += page.rows;
    }
    return { pages, rows };
  },
);

async function createTable(): Promise<void> {
  await sql()`create table if not exists imported_orders (
    import_id text, order_id text, placed_at timestamptz not null, customer text not null,
    email text not null, sku text not null, quantity int not null, unit_price int not null,
    note text not null, primary key (import_id, order_id))`;
}

async function importPage(importId: string, url: string, signal: AbortSignal) {
  const response = await fetch(url, { signal });
  if (!response.ok) throw await errorFrom(response, `GET ${url}`);
  const orders = parseCsv(await response.text());
  await sql()`
    insert into imported_orders
    select ${importId}::text, o.* from jsonb_to_recordset(${JSON.stringify(orders)}::jsonb) as o(
      order_id text, placed_at timestamptz, customer text, email text,
      sku text, quantity int, unit_price int, note text)
    on conflict (import_id, order_id) do update set
      (placed_at, customer, email, sku, quantity, unit_price, note) = (excluded.placed_at,
      excluded.customer, excluded.email, excluded.sku, excluded.quantity, excluded.unit_price, excluded.note)`;
  const next = /<([^>]*)>;\s*rel="next"/.exec(response.headers.get("Link") ?? "")?.[1];
  return { rows: orders.length, next: next ? new URL(next, url).href : null };
}
