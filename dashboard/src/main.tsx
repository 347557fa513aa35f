import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "./api/queries.ts";
import { signInFromAddress } from "./api/session.tsx";
import { App } from "./app.tsx";
import { applyTheme } from "./parts/theme.ts";
import { reloadOnceForNewFiles } from "./reload.ts";
import "./styles.css";

applyTheme();
reloadOnceForNewFiles();
await signInFromAddress();
createRoot(document.getElementById("app") as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
