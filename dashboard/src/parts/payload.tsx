import { useState } from "react";
import { formatBytes } from "../models/bytes.ts";
import { parseJsonText, prettyJson } from "../models/json-text.ts";
import { CopyButton } from "./copy-button.tsx";
import { download } from "./download.ts";
import { JsonView } from "./json-view.tsx";

/** Larger ones are shown when asked for. */
const COLLAPSED_OVER = 100_000;
/** Larger ones are only downloaded: showing them would freeze the page. */
const DOWNLOAD_OVER = 1_000_000;

interface Props {
  readonly title: string;
  /** JSON as it was sent; null for none. */
  readonly text: string | null;
  readonly fileName: string;
  /** Said where JSON alone cannot say the value. */
  readonly meta?: unknown;
}

export function Payload({ title, text, fileName, meta }: Props) {
  const [shown, setShown] = useState(false);
  if (text === null || text === "null") return <Empty title={title} />;
  const size = text.length;
  const visible = size <= COLLAPSED_OVER || (shown && size <= DOWNLOAD_OVER);
  return (
    <section className="min-w-0">
      <header className="mb-1 flex flex-wrap items-center gap-x-3 gap-y-1">
        <h2 className="font-medium">{title}</h2>
        <span className="text-xs text-muted">{formatBytes(size)}</span>
        {size <= DOWNLOAD_OVER && <CopyButton text={text} what={title.toLowerCase()} />}
        <button
          type="button"
          className="link min-h-6 text-xs"
          onClick={() => download(fileName, pretty(text))}
        >
          Download
        </button>
      </header>
      {visible && <JsonView text={text} />}
      {!visible && size <= DOWNLOAD_OVER && (
        <button type="button" className="button" onClick={() => setShown(true)}>
          Show {formatBytes(size)}
        </button>
      )}
      {size > DOWNLOAD_OVER && <p className="text-muted">Too large to show here: download it.</p>}
      {meta !== undefined && (
        <p className="mt-1 text-xs text-muted">
          Some values have types that JSON does not: dates, maps, sets, bytes.
        </p>
      )}
    </section>
  );
}

function Empty({ title }: { readonly title: string }) {
  return (
    <section>
      <h2 className="mb-1 font-medium">{title}</h2>
      <p className="text-muted">Nothing.</p>
    </section>
  );
}

function pretty(text: string): string {
  return text.length > DOWNLOAD_OVER ? text : prettyJson(parseJsonText(text));
}
