import { useState } from "react";
import { useRunPage } from "../../api/queries.ts";
import type { FilterQuery } from "../../api/types.ts";
import { Broken, Empty, Loading } from "../../parts/page.tsx";
import { Pager } from "../../parts/pager.tsx";
import { RunTable } from "../../parts/run-table.tsx";
import { SelectionBar } from "../../parts/selection-bar.tsx";

const VERBS = ["revive", "rerun", "discard"] as const;

interface Props {
  readonly query: FilterQuery;
  readonly cursor: string | null;
}

/** The runs of one group. */
export function GroupRuns({ query, cursor }: Props) {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const list = useRunPage("/api/dead-letters", cursor === null ? query : { ...query, cursor });
  if (list.data === undefined) {
    return list.error === null ? (
      <Loading />
    ) : (
      <Broken error={list.error} missing="There is no such group." />
    );
  }
  const { runs, nextCursor } = list.data;
  if (runs.length === 0) return <Empty title="None of them is left" />;
  return (
    <div className="grid gap-3">
      <RunTable
        runs={runs}
        caption="The runs of this group, the newest first"
        selected={selected}
        onSelect={setSelected}
      />
      <Pager nextCursor={nextCursor} />
      <SelectionBar
        ids={runs.map(({ id }) => id).filter((id) => selected.has(id))}
        verbs={VERBS}
        everything={nextCursor === null ? null : { deadLetters: query }}
        matching={undefined}
        onClear={() => setSelected(new Set())}
      />
    </div>
  );
}
