interface Props {
  /** With the filter of the list. */
  readonly path: string;
}

/** All that the filter finds, not only this page. */
export function ExportLinks({ path }: Props) {
  const joint = path.includes("?") ? "&" : "?";
  return (
    <>
      <a href={`${path}${joint}format=csv`} download className="button">
        Export CSV
      </a>
      <a href={`${path}${joint}format=json`} download className="button">
        JSON
      </a>
    </>
  );
}
