// A feed of 500 orders as CSV (RFC 4180), always the same, 50 to a page.

export const ORDERS = 500;
export const PAGE_SIZE = 50;
export const PAGES = ORDERS / PAGE_SIZE;

const columns = "order_id,placed_at,customer,email,sku,quantity,unit_price,note";

const customers: readonly (readonly [name: string, email: string])[] = [
  ["Ada Lovelace", "ada@analytical.example"],
  ["Núñez, María José", "mj.nunez@correo.example"],
  ["Brendan O'Neill", "brendan@oneill.example"],
  ['Dwayne "The Rock" Johnson', "dwayne@rock.example"],
  ["Müller & Söhne GmbH", "einkauf@mueller.example"],
  ["Acme, Inc.", "orders@acme.example"],
  ["王小明", "xiaoming@wang.example"],
  ['Smith, John "Jack", Jr.', "jack@smith.example"],
  ["Þóra Einarsdóttir", "thora@reykjavik.example"],
];

const articles: readonly (readonly [sku: string, unitPrice: number])[] = [
  ["MUG-350-BLUE", 1290],
  ["TEE-M-BLACK", 2450],
  ["NOTEBOOK-A5", 790],
  ["LAMP-DESK-LED", 5990],
  ["BAG-CANVAS", 1850],
  ["POSTER-50X70", 3200],
  ["STICKER-SET", 0],
];

const notes = ["", "", "Gift wrap, please", "Ring twice\nthen leave at the door", 'Engrave "For Max"'];

/** The page with its header line, or null when there is no such page. */
export function feedPage(page: number): string | null {
  if (!Number.isInteger(page) || page < 1 || page > PAGES) return null;
  const first = (page - 1) * PAGE_SIZE;
  const lines = Array.from({ length: PAGE_SIZE }, (_, index) => orderLine(first + index));
  return `${[columns, ...lines].join("\r\n")}\r\n`;
}

function orderLine(index: number): string {
  const [customer, email] = pick(customers, index * 7);
  const [sku, unitPrice] = pick(articles, index * 5);
  const placedAt = new Date(Date.UTC(2026, 0, 5, 8, 0) + index * 37 * 60_000).toISOString();
  const fields = [10_001 + index, placedAt, customer, email, sku, 1 + (index % 4), unitPrice];
  return [...fields, pick(notes, index * 3)].map(quoteField).join(",");
}

function pick<Item>(items: readonly Item[], index: number): Item {
  return items[index % items.length] as Item;
}

function quoteField(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
