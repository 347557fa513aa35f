import { type FormEvent, useState } from "react";
import { useSearchParams } from "wouter";
import { addNote, useAction } from "../../api/actions.ts";
import { useChildren, useHistory } from "../../api/queries.ts";
import { useMayWrite } from "../../api/session.tsx";
import type { RunDetail } from "../../api/types.ts";
import { ActionList } from "../../parts/action-list.tsx";
import { ErrorText } from "../../parts/dialog.tsx";
import { RunLink } from "../../parts/links.tsx";
import { Broken, Loading } from "../../parts/page.tsx";
import { Pager } from "../../parts/pager.tsx";
import { RunTable } from "../../parts/run-table.tsx";

export function RelatedTab({ run }: { readonly run: RunDetail }) {
  return (
    <div className="grid gap-6">
      <Ancestors run={run} />
      <Children id={run.id} />
      <History id={run.id} />
    </div>
  );
}

function Ancestors({ run }: { readonly run: RunDetail }) {
  const related = [
    ["Started by", run.parentId],
    ["Made from", run.forkedFrom],
    ["Continues", run.continuedFrom],
    ["Continued as", run.continuedTo],
  ] as const;
  const known = related.filter(
    (each): each is (typeof related)[number] & [string, string] => each[1] !== null,
  );
  if (known.length === 0) return null;
  return (
    <ul className="grid gap-1">
      {known.map(([words, id]) => (
        <li key={words}>
          {words} <RunLink id={id} short={false} copy />
        </li>
      ))}
    </ul>
  );
}

function Children({ id }: { readonly id: string }) {
  const [search] = useSearchParams();
  const children = useChildren(id, search.get("cursor") ?? undefined);
  return (
    <section className="grid gap-2">
      <h2 className="font-semibold">Runs that it started</h2>
      {children.isPending && <Loading />}
      {children.error !== null && <Broken error={children.error} missing="There is no such run." />}
      {children.data?.runs.length === 0 && <p className="text-muted">None.</p>}
      {children.data !== undefined && children.data.runs.length > 0 && (
        <RunTable runs={children.data.runs} caption="Runs that this one started" />
      )}
      {children.data !== undefined && <Pager nextCursor={children.data.nextCursor} />}
    </section>
  );
}

function History({ id }: { readonly id: string }) {
  const history = useHistory(id);
  const mayWrite = useMayWrite();
  return (
    <section className="grid gap-2">
      <h2 className="font-semibold">What people did</h2>
      {mayWrite && <NoteForm id={id} />}
      {history.error !== null && <Broken error={history.error} missing="There is no such run." />}
      {history.data !== undefined && <ActionList actions={history.data.actions} />}
    </section>
  );
}

function NoteForm({ id }: { readonly id: string }) {
  const [note, setNote] = useState("");
  const add = useAction(
    () => addNote(id, note.trim()),
    () => setNote(""),
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (note.trim() !== "") add.mutate();
  };
  return (
    <form onSubmit={submit} className="grid gap-2">
      <div className="flex flex-wrap gap-2">
        <input
          aria-label="Note"
          className="field min-w-0 flex-1"
          maxLength={2_000}
          placeholder="A note on this run"
          value={note}
          onChange={(event) => setNote(event.target.value)}
        />
        <button type="submit" className="button" disabled={add.isPending || note.trim() === ""}>
          Add note
        </button>
      </div>
      {add.error !== null && <ErrorText error={add.error} />}
    </form>
  );
}
