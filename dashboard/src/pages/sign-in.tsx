import { type FormEvent, useState } from "react";
import { signIn, useAction } from "../api/actions.ts";
import { useOutage } from "../api/outage.ts";
import icon from "../icon.svg";
import { ErrorText } from "../parts/dialog.tsx";

export function SignInPage() {
  const [token, setToken] = useState("");
  const outage = useOutage();
  const { mutate, isPending, error } = useAction(signIn);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    mutate(token.trim());
  };
  return (
    <main className="grid min-h-dvh place-items-center p-4">
      <form onSubmit={submit} className="panel grid w-full max-w-sm gap-4 p-6">
        <h1 className="flex items-center gap-2 text-xl font-semibold">
          <img src={icon} alt="" width="24" height="24" />
          Pawl
        </h1>
        <div className="grid gap-1">
          <label htmlFor="token" className="font-medium">
            Token
          </label>
          <input
            id="token"
            type="password"
            className="field font-mono"
            autoComplete="current-password"
            required
            aria-describedby="token-hint"
            value={token}
            onChange={(event) => setToken(event.target.value)}
          />
          <p id="token-hint" className="text-xs text-muted">
            The deployment's <code>PAWL_ADMIN_TOKEN</code> or <code>PAWL_READ_TOKEN</code>. Locally,{" "}
            <code>npm run dev</code> prints a link that signs in.
          </p>
        </div>
        {error !== null && <ErrorText error={error} />}
        {error === null && outage !== null && <p role="status">{outage}</p>}
        <button type="submit" className="button button-main justify-center" disabled={isPending}>
          Sign in
        </button>
      </form>
    </main>
  );
}
