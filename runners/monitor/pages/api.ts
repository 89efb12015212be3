/** Calls of the monitor's API: JSON in, JSON out, failures as one kind of error. */
import { currentToken } from "./token.js";

export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    /** 0 where no answer came. */
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }

  get needsToken(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

export type Query = Readonly<Record<string, string | number | null | undefined>>;

export function address(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === "" ? path : `${path}?${text}`;
}

export async function getJson<Body>(path: string, query: Query, signal: AbortSignal): Promise<Body> {
  const response = await call(address(path, query), { signal });
  return (await response.json()) as Body;
}

export async function postJson<Body>(path: string, body: unknown): Promise<Body> {
  const response = await call(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });
  return (await response.json()) as Body;
}

export async function getBlob(path: string, query: Query): Promise<Blob> {
  const response = await call(address(path, query), {});
  return await response.blob();
}

export function authorization(): Record<string, string> {
  const token = currentToken();
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

async function call(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, {
      ...init,
      headers: { ...authorization(), ...(init.headers as Record<string, string>) },
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(
      0,
      "unreachable",
      "The run does not answer. It may have ended, or its address may have changed.",
    );
  }
  if (response.ok) return response;
  throw await errorOf(response);
}

/** What an answer that is no success says. */
export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string } };
    return new ApiError(response.status, error.code, error.message);
  } catch {
    // not of our server, e.g. of a proxy before it
    return new ApiError(
      response.status,
      "unknown",
      `The server answered ${response.status} ${response.statusText}`.trim(),
    );
  }
}
