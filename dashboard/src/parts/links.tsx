import { Link } from "wouter";
import { CopyButton } from "./copy-button.tsx";

export function RunLink({
  id,
  short = true,
  copy = false,
}: {
  readonly id: string;
  readonly short?: boolean;
  readonly copy?: boolean;
}) {
  return (
    <span className="inline-flex items-center gap-1 whitespace-nowrap">
      <Link href={`/runs/${id}`} className="link font-mono text-[0.8125rem]" title={id}>
        {short ? shortId(id) : id}
      </Link>
      {copy && <CopyButton text={id} what="run id" />}
    </span>
  );
}

/** The ends of an id: its time, and what tells it from its neighbours. */
export function shortId(id: string): string {
  return id.length > 14 ? `${id.slice(0, 6)}…${id.slice(-5)}` : id;
}
