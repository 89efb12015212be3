/** What the API refuses, and the JSON in which it says so. */

export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 429 | 500 | 503,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }

  toResponse(): Response {
    const { status, code, message } = this;
    const headers = status === 401 ? { "www-authenticate": "Bearer" } : {};
    return Response.json({ error: { code, message } }, { status, headers });
  }
}

export function notFound(what: string): ApiError {
  return new ApiError(404, "not_found", what);
}
