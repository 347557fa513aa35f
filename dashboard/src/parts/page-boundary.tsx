import { Component, type ReactNode } from "react";
import { useLocation } from "wouter";
import { Broken, Page } from "./page.tsx";

interface Props {
  readonly children: ReactNode;
}

/** A page that cannot be drawn leaves the frame as it is: there is a way to the others, and to another try. */
export function PageBoundary({ children }: Props) {
  const [path] = useLocation();
  return <Boundary key={path}>{children}</Boundary>;
}

class Boundary extends Component<Props, { readonly error: Error | null }> {
  override state = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <Page title="Something broke">
        <Broken error={error} missing="" />
        <button type="button" className="button w-fit" onClick={() => location.reload()}>
          Load this page again
        </button>
      </Page>
    );
  }
}
