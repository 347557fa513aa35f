import { useSearchParams } from "wouter";

const WORDS: Readonly<Record<string, string>> = {
  "1h": "Last hour",
  "6h": "Last 6 hours",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
};

/** The stretch of time that a page is about, in the URL. */
export function RangeSelect({
  ranges,
  value,
}: {
  readonly ranges: readonly string[];
  readonly value: string;
}) {
  const [, setSearch] = useSearchParams();
  const choose = (range: string) =>
    setSearch((before) => {
      const next = new URLSearchParams(before);
      next.set("range", range);
      return next;
    });
  return (
    <select
      aria-label="Time"
      className="field"
      value={value}
      onChange={(event) => choose(event.target.value)}
    >
      {ranges.map((range) => (
        <option key={range} value={range}>
          {WORDS[range]}
        </option>
      ))}
    </select>
  );
}
