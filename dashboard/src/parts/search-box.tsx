import { type FormEvent, useState } from "react";
import { useLocation } from "wouter";
import { applyQualifiers, EMPTY_FILTER, pastedId, writeFilter } from "../models/filters.ts";
import { notify } from "./notices.tsx";

/** Takes a run's id, as text or within a URL, or filters such as `status:failed tag:eu`. */
export function SearchBox() {
  const [, navigate] = useLocation();
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const id = pastedId(text);
    try {
      navigate(id === null ? `/runs?${writeFilter(applyQualifiers(EMPTY_FILTER, text))}` : `/runs/${id}`);
      setText("");
    } catch (error) {
      notify((error as Error).message);
    }
  };
  return (
    <search>
      <form onSubmit={submit}>
        <label htmlFor="search" className="visually-hidden">
          Search, or paste a run's id
        </label>
        <input
          id="search"
          type="search"
          className="field w-60 max-w-full text-[0.8125rem]"
          placeholder="Run id, or status:failed tag:eu"
          autoComplete="off"
          spellCheck={false}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </form>
    </search>
  );
}
