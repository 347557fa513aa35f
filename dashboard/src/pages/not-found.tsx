import { Link } from "wouter";
import { Empty, Page } from "../parts/page.tsx";

export function NotFoundPage() {
  return (
    <Page title="Not found">
      <Empty title="There is no such page">
        <Link href="/runs" className="link">
          All runs
        </Link>
      </Empty>
    </Page>
  );
}
