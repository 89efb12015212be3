/** Who may ask for what: names under which the server is reached, origins of changing calls, the token. */
import { createHash, timingSafeEqual } from "node:crypto";
import { ApiError } from "./api-error.js";

export interface GuardOptions {
  readonly token: string;
  /** Names that may stand in `Host`, without port; an IPv6 address in brackets. */
  readonly hostNames: ReadonlySet<string>;
  /** Everything needs the token: others than users of this machine reach the server. */
  readonly isOpenToOthers: boolean;
}

export class Guard {
  readonly #options: GuardOptions;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** A page of somebody else that had its own name point here must not read anything. @throws ApiError */
  checkHost(request: Request): void {
    const host = request.headers.get("host") ?? "";
    const name = host.replace(/:\d+$/, "").toLowerCase();
    if (this.#options.hostNames.has(name)) return;
    const known = [...this.#options.hostNames].join(", ");
    throw new ApiError(
      403,
      "host_not_allowed",
      `the Host must be one of ${known}, got ${JSON.stringify(host)}; name others with --monitor-allowed-hosts`,
    );
  }

  /** What changes something must come from our own page, or from no page. @throws ApiError */
  checkOrigin(request: Request): void {
    if (request.method === "GET" || request.method === "HEAD") return;
    const origin = request.headers.get("origin");
    const host = request.headers.get("host");
    const isOurs = origin === null || origin === `http://${host}` || origin === `https://${host}`;
    if (isOurs && request.headers.get("sec-fetch-site") !== "cross-site") return;
    throw new ApiError(
      403,
      "origin_not_allowed",
      `a page of ${origin ?? "another site"} may change nothing here`,
    );
  }

  /** @throws ApiError */
  checkToken(request: Request, access: "open" | "token"): void {
    if (access === "open" && !this.#options.isOpenToOthers) return;
    const given = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    if (given !== undefined && timingSafeEqual(digest(given), digest(this.#options.token))) return;
    throw new ApiError(
      401,
      given === undefined ? "token_needed" : "token_wrong",
      "this needs the token of the link that the run has printed: Authorization: Bearer …",
    );
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
