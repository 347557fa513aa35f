/** What a claim left out because it was too much: a run's journal, page by page, and single deliveries. */
import type { Delivery } from "../engine/delivery.ts";
import type { JournalPage } from "../engine/journal.ts";
import type { JournalPart } from "../engine/ports.ts";
import type { RunRef } from "../engine/run.ts";
import type { Db } from "./db.ts";
import {
  type DeliveryTuple,
  deliveryTuple,
  ENTRY_TUPLE,
  type EntryTuple,
  toDelivery,
  toEntry,
} from "./rows.ts";
import type { Sizes } from "./sizes.ts";

/**
 * `$3` is the entry before the page, `$4` the last one that is wanted, `$5` the turn that must be the run's. Entries are
 * taken one by one until the page is full: what is behind it is not read at all. Each is looked for as the first after the one
 * before, so that the planner, whatever it believes of a table that has just grown, finds it in the index.
 */
const PAGE = `
with recursive page (seq, bytes, entry) as (
  select $3::int, 0::bigint, null::json
  union all
  select e.seq, p.bytes + octet_length(e.entry::text), e.entry
  from page p cross join lateral (
    with next as materialized (select j.seq, ${ENTRY_TUPLE} as entry from pawl.journal j
      where j.tenant = $1 and j.run_id = $2 and j.seq > p.seq order by j.seq limit 1)
    select * from next) e
  where p.bytes < $6::bigint and p.seq < $3::int + $7::int and ($4::int is null or p.seq < $4::int)
),
held as materialized (
  select $5::int is null or exists (select from pawl.runs r
    where r.tenant = $1 and r.id = $2 and r.turn = $5 and r.lease_expires_at is not null) as held
)
select p.entry, p.bytes < $6 and p.seq < $3 + $7 as has_room from page p, held where p.entry is not null and held.held
union all
select null, false from held where not held.held`;

interface PageRow {
  /** Null in the one row that says that the turn is not the run's. */
  readonly entry: EntryTuple | null;
  /** False for the entry that filled the page. */
  readonly has_room: boolean;
}

export async function readJournal(
  db: Db,
  { pageEntries, claimBytes }: Sizes,
  { tenant, runId }: RunRef,
  part: JournalPart,
  after: number,
): Promise<JournalPage | null> {
  const [upTo, turn] = "turn" in part ? [null, part.turn] : [part.upTo, null];
  const params = [tenant, runId, after, upTo, turn, claimBytes, pageEntries];
  const [found = []] = await db.execute([{ text: PAGE, params }]);
  const rows = found as unknown as PageRow[];
  if (rows.some(({ entry }) => entry === null)) return null;
  const entries = rows.flatMap(({ entry }) => (entry === null ? [] : [toEntry(entry)]));
  const isLast = rows.every(({ has_room }) => has_room) || entries.some(({ seq }) => seq === upTo);
  return { entries: entries.sort((a, b) => a.seq - b.seq), isLast };
}

const DELIVERY = `
select ${deliveryTuple("false")} as delivery from pawl.deliveries d
where d.tenant = $1 and d.run_id = $2 and d.id = $3 and d.consumed_by is null`;

export async function readDelivery(db: Db, { tenant, runId }: RunRef, id: number): Promise<Delivery | null> {
  const [rows = []] = await db.execute([{ text: DELIVERY, params: [tenant, runId, id] }]);
  const [row] = rows as unknown as { delivery: DeliveryTuple }[];
  return row === undefined ? null : toDelivery(row.delivery);
}
