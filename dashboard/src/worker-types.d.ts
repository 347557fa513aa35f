/** Named by the types of the HTTP API, which the page takes its own from; of no use in a browser. */
declare interface ExecutionContext {
  readonly props: unknown;
}
