/**
 * How much one answer of the database may hold. An isolate has 128 MB for all that it does at once, and what comes as JSON
 * text is there several times while it is parsed and handed to another invocation.
 */

export interface Sizes {
  /**
   * What the runs of one claim weigh together, in bytes, about: their inputs, journals and inboxes. One run alone may weigh
   * more: then its journal comes in pages of so many bytes.
   */
  readonly claimBytes: number;
  /** The most entries that come as one page, or with a claim. */
  readonly pageEntries: number;
  /** What the deliveries that come with one run's claim bring with them. */
  readonly inboxBytes: number;
}

export const SIZES: Sizes = { claimBytes: 4_000_000, pageEntries: 2_000, inboxBytes: 1_000_000 };

/** What a run, or an entry, takes besides its values. */
export const OVERHEAD_BYTES = 250;

/** SQL: what an expression of type jsonb takes as text. Reads all of it. */
export const textBytes = (value: string) => `coalesce(octet_length((${value})::text), 0)`;

/**
 * SQL: about the same of a column, without reading what is large: what Postgres has compressed counts as the largest value
 * that there may be, unless it is so small that it can be unpacked.
 */
export const columnBytes = (column: string) => `(case when ${column} is null then 0
  when pg_column_compression(${column}) is null then pg_column_size(${column})
  when pg_column_size(${column}) < 2500 then octet_length(${column}::text) else 1000000 end)`;
