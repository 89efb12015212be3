/** A connection string, URL or keyword/value, as libpq's parameters by keyword. */
import { ConnectionConfigError } from "./connection-config-error.js";

/** Parameters by libpq's keyword: `host`, `port`, `dbname`, `user`, `password`, `sslmode`, … */
export type ConnectionParameters = Readonly<Record<string, string>>;

/**
 * Reads `postgres://user:password@host:port/database?sslmode=…` or `host=… dbname=…`.
 * @throws ConnectionConfigError without any part of the text: it may hold a password anywhere.
 */
export function parseConnectionUrl(text: string): ConnectionParameters {
  const isUrl = /^postgres(ql)?:\/\//i.test(text);
  const parameters = isUrl ? parseUrl(text) : parseKeywords(text);
  for (const keyword of Object.keys(parameters)) assertKnown(keyword);
  return parameters;
}

/** Refuses a keyword that libpq does not know either. @throws ConnectionConfigError */
export function assertKnown(keyword: string): void {
  if (HONOURED.has(keyword) || IGNORED.has(keyword)) return;
  throw new ConnectionConfigError(
    `unknown connection parameter "${keyword}" (known: ${[...HONOURED].sort().join(", ")})`,
  );
}

const HONOURED = new Set([
  "host",
  "hostaddr",
  "port",
  "dbname",
  "user",
  "password",
  "passfile",
  "service",
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
  "options",
]);

/** What libpq knows and we decide ourselves, or what changes nothing for a single host. */
const IGNORED = new Set([
  "application_name",
  "fallback_application_name",
  "channel_binding",
  "client_encoding",
  "connect_timeout",
  "gssencmode",
  "keepalives",
  "keepalives_count",
  "keepalives_idle",
  "keepalives_interval",
  "load_balance_hosts",
  "sslcompression",
  "sslnegotiation",
  "sslsni",
  "target_session_attrs",
  "tcp_user_timeout",
]);

// Not the URL class: it refuses hosts that libpq takes (several, percent-encoded socket folders) and
// puts the whole text, password included, into its error.
const URL_PARTS = /^postgres(?:ql)?:\/\/(?:(.*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/is;

function parseUrl(text: string): ConnectionParameters {
  const parts = URL_PARTS.exec(text);
  if (parts === null) {
    throw new ConnectionConfigError("is no PostgreSQL URL like postgres://user@host:5432/database");
  }
  const [, authority, hostPort = "", database, query = ""] = parts;
  const parameters: Record<string, string> = {};
  const set = (keyword: string, value: string | undefined) => {
    if (value !== undefined && value !== "") parameters[keyword] = decode(value, keyword);
  };
  if (authority !== undefined) {
    const colon = authority.indexOf(":");
    set("user", colon < 0 ? authority : authority.slice(0, colon));
    if (colon >= 0) set("password", authority.slice(colon + 1));
  }
  if (hostPort.includes(",")) {
    throw new ConnectionConfigError("several hosts in one URL are not supported: name the primary");
  }
  const host = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(hostPort);
  if (host === null) throw new ConnectionConfigError("has a host that cannot be read");
  set("host", host[1]?.replace(/^\[|\]$/g, ""));
  set("port", host[2]);
  set("dbname", database);
  for (const pair of query.split("&").filter((entry) => entry !== "")) {
    const equals = pair.indexOf("=");
    if (equals < 0) throw new ConnectionConfigError("has a query parameter without a value");
    // JDBC's `ssl=true` means `sslmode=require`; libpq reads it so as well
    if (pair === "ssl=true") set("sslmode", "require");
    else set(decode(pair.slice(0, equals), "query"), pair.slice(equals + 1));
  }
  return parameters;
}

function decode(value: string, keyword: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new ConnectionConfigError(`has a broken percent-encoding in its ${keyword}`);
  }
}

const KEYWORD_PAIR = /\s*([a-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|$)/giy;

function parseKeywords(text: string): ConnectionParameters {
  const parameters: Record<string, string> = {};
  const pattern = new RegExp(KEYWORD_PAIR);
  let end = 0;
  for (let pair = pattern.exec(text); pair !== null; pair = pattern.exec(text)) {
    const value = (pair[2] ?? pair[3] ?? "").replace(/\\(.)/g, "$1");
    if (value !== "") parameters[pair[1]!] = value;
    end = pattern.lastIndex;
  }
  if (text.slice(end).trim() !== "" || Object.keys(parameters).length === 0) {
    throw new ConnectionConfigError(
      "is neither a PostgreSQL URL like postgres://user@host:5432/database nor host=… dbname=… pairs",
    );
  }
  return parameters;
}
