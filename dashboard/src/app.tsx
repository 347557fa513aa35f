import { type ComponentType, lazy, Suspense } from "react";
import { Redirect, Route, Router, Switch } from "wouter";
import { SessionGate } from "./api/session.tsx";
import { NotFoundPage } from "./pages/not-found.tsx";
import { RunsPage } from "./pages/runs.tsx";
import { SignInPage } from "./pages/sign-in.tsx";
import { Frame } from "./parts/frame.tsx";
import { Loading } from "./parts/page.tsx";
import { PageBoundary } from "./parts/page-boundary.tsx";

/** Loaded when somebody goes there: every visit begins with the list. */
const RunPage = later(async () => (await import("./pages/run.tsx")).RunPage);
const DeadLettersPage = later(async () => (await import("./pages/dead-letters.tsx")).DeadLettersPage);
const BulkPage = later(async () => (await import("./pages/bulk.tsx")).BulkPage);
const BulksPage = later(async () => (await import("./pages/bulks.tsx")).BulksPage);
const WorkflowsPage = later(async () => (await import("./pages/workflows.tsx")).WorkflowsPage);
const StartPage = later(async () => (await import("./pages/start.tsx")).StartPage);
const WaitsPage = later(async () => (await import("./pages/waits.tsx")).WaitsPage);
const MetricsPage = later(async () => (await import("./pages/metrics.tsx")).MetricsPage);
const SystemPage = later(async () => (await import("./pages/system.tsx")).SystemPage);

function later<Props extends object>(load: () => Promise<ComponentType<Props>>) {
  return lazy(async () => ({ default: await load() }));
}

export function App() {
  return (
    <SessionGate signedOut={<SignInPage />}>
      <Router base="/dashboard">
        <Frame>
          <PageBoundary>
            <Suspense fallback={<Loading />}>
              <Switch>
                <Route path="/">
                  <Redirect to="/runs" replace />
                </Route>
                <Route path="/runs" component={RunsPage} />
                <Route path="/runs/:id">{({ id }) => <RunPage key={id} id={id} />}</Route>
                <Route path="/dead-letters" component={DeadLettersPage} />
                <Route path="/bulk" component={BulksPage} />
                <Route path="/bulk/:id">{({ id }) => <BulkPage key={id} id={id} />}</Route>
                <Route path="/workflows" component={WorkflowsPage} />
                <Route path="/workflows/:name/start">
                  {({ name }) => <StartPage key={name} name={name} />}
                </Route>
                <Route path="/waits" component={WaitsPage} />
                <Route path="/metrics" component={MetricsPage} />
                <Route path="/system" component={SystemPage} />
                <Route component={NotFoundPage} />
              </Switch>
            </Suspense>
          </PageBoundary>
        </Frame>
      </Router>
    </SessionGate>
  );
}
