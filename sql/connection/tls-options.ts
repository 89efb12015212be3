/** `sslmode` and its files as TLS options of the driver, with libpq's meaning of each mode. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { connect, isIP } from "node:net";
import { join } from "node:path";
import type { ConnectionOptions } from "node:tls";
import { ConnectionConfigError } from "./connection-config-error.js";
import type { ConnectionParameters } from "./parse-connection-url.js";

/** `if-offered`: encrypt without checking anybody, when the server can (`prefer`, the default). */
export type TlsChoice =
  | { readonly use: "never" }
  | { readonly use: "if-offered"; readonly options: ConnectionOptions }
  | { readonly use: "always"; readonly options: ConnectionOptions };

/** @throws ConnectionConfigError for an unknown mode, a missing or an unsafe file. */
export function chooseTls(parameters: ConnectionParameters, host: string, home: string): TlsChoice {
  const ca = caFile(parameters, home);
  // a system CA accepts any certificate it signed, so only the host's name makes it mean something
  const mode = parameters["sslmode"] ?? (ca === "system" ? "verify-full" : "prefer");
  if (!SSL_MODES.includes(mode)) {
    throw new ConnectionConfigError(`sslmode must be one of ${SSL_MODES.join(", ")}, got "${mode}"`);
  }
  if (ca === "system" && mode !== "verify-full") {
    throw new ConnectionConfigError(`sslrootcert=system needs sslmode=verify-full, got "${mode}"`);
  }
  if (mode === "disable" || host.startsWith("/")) return { use: "never" };
  // an address is no server name; as `host` it is what the certificate is checked against
  const options: ConnectionOptions = isIP(host) === 0 ? { servername: host } : { host };
  addClientCertificate(options, parameters, home);
  if (mode === "allow" || mode === "prefer") {
    options.rejectUnauthorized = false;
    return { use: "if-offered", options };
  }
  if (ca === undefined) {
    if (mode !== "require") {
      throw new ConnectionConfigError(`sslmode=${mode} needs a root certificate: set sslrootcert`);
    }
    options.rejectUnauthorized = false;
    return { use: "always", options };
  }
  if (ca !== "system") options.ca = read(ca, "sslrootcert");
  // libpq: with a root certificate at hand, `require` checks it as `verify-ca` does
  if (mode !== "verify-full") options.checkServerIdentity = () => undefined;
  options.rejectUnauthorized = true;
  return { use: "always", options };
}

/** Asks a server whether it offers TLS (`SSLRequest`); an unreachable server does not. */
export function offersTls(host: string, port: number, timeoutMs = 2_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (offered: boolean) => {
      socket.destroy();
      resolve(offered);
    };
    socket.setTimeout(timeoutMs, () => settle(false));
    socket.once("error", () => settle(false));
    socket.once("close", () => resolve(false));
    socket.once("connect", () => socket.write(SSL_REQUEST));
    socket.once("data", (answer) => settle(answer[0] === "S".charCodeAt(0)));
  });
}

const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/** PostgreSQL's protocol: length 8, then the code 1234.5679. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

function caFile(parameters: ConnectionParameters, home: string): string | undefined {
  const given = parameters["sslrootcert"];
  if (given !== undefined) return given;
  const usual = join(home, ".postgresql", "root.crt");
  return existsSync(usual) ? usual : undefined;
}

function addClientCertificate(
  options: ConnectionOptions,
  parameters: ConnectionParameters,
  home: string,
): void {
  const certificate = parameters["sslcert"] ?? join(home, ".postgresql", "postgresql.crt");
  if (parameters["sslcert"] === undefined && !existsSync(certificate)) return;
  const key = parameters["sslkey"] ?? join(home, ".postgresql", "postgresql.key");
  options.cert = read(certificate, "sslcert");
  // not enumerable: the options may be printed, the key never
  Object.defineProperty(options, "key", { value: readKey(key), enumerable: false });
}

function readKey(path: string): Buffer {
  const key = read(path, "sslkey");
  const { mode, uid } = statSync(path);
  // root may own a key that a group reads, as libpq has it
  const tooOpen = uid === 0 ? 0o027 : 0o077;
  if (process.platform !== "win32" && (mode & tooOpen) !== 0) {
    throw new ConnectionConfigError(
      `sslkey "${path}" has group or world access; its permissions should be u=rw (0600) or less`,
    );
  }
  return key;
}

function read(path: string, keyword: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new ConnectionConfigError(`${keyword} "${path}" cannot be read (${code})`, { cause: error });
  }
}
