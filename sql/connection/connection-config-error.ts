/** What is wrong with the way a database was named; never holds a value that may be secret. */
export class ConnectionConfigError extends Error {
  readonly code: string = "connection_config";
  override readonly name = "ConnectionConfigError";
}
