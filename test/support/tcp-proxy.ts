/** A TCP proxy in front of PostgreSQL that reads what clients send, and breaks connections where a test says. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** One message of a client: its type byte, and the SQL of a Query or Parse, which counts up to its Sync. */
export interface ClientMessage {
  readonly type: string;
  readonly sql: string;
}

/**
 * What happens at a message. After each of them but `pass` the client's connection is gone, while the
 * server's stays open: to the server the client is merely silent.
 * - `cut-before`: the server never gets it.
 * - `cut-within`: the server gets half of it.
 * - `cut-after`: the server gets it; the client does not wait for the answer.
 * - `drop-reply`: the client's connection is cut when the server has answered.
 * - a number: the client's connection is cut; the server gets the message so many ms later.
 */
export type Fault = "pass" | "cut-before" | "cut-within" | "cut-after" | "drop-reply" | number;

export type ChooseFault = (message: ClientMessage) => Fault;

const PASS: ChooseFault = () => "pass";
const HEADER_BYTES = 5;
const PARSE = "P".charCodeAt(0);
const SYNC = "S".charCodeAt(0);

export class TcpProxy {
  /** Asked for every message of every client. */
  chooseFault: ChooseFault = PASS;
  /** Whether the server's connection stays open after its client has gone. */
  isKeepingOrphans = false;
  /** Connections that were cut by a fault. */
  faults = 0;
  readonly #server: Server;
  readonly #links = new Set<Link>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on a free port of 127.0.0.1. */
  static async listen(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server);
    server.on("connection", (client) => {
      const link = new Link(client, connect(target.port, target.host), proxy);
      proxy.#links.add(link);
      link.whenClosed(() => proxy.#links.delete(link));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Cuts both sides of every connection. */
  cutAll(): void {
    for (const link of this.#links) link.cut();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cutAll();
    await closed;
  }
}

/** A client's connection and the server's. */
class Link {
  #unread: Buffer = Buffer.alloc(0);
  #isStarted = false;
  #isCutAfterReply = false;
  #isOrphan = false;

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    private readonly proxy: TcpProxy,
  ) {
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", () => undefined); // "close" follows
    }
    client.on("data", (bytes: Buffer) => this.#read(bytes));
    client.on("close", () => {
      if (!this.#isOrphan && !proxy.isKeepingOrphans) server.destroy();
    });
    server.on("data", (bytes: Buffer) => {
      if (this.#isCutAfterReply) this.#orphan();
      else if (!client.destroyed) client.write(bytes);
    });
    server.on("close", () => client.destroy());
  }

  whenClosed(callback: () => void): void {
    this.server.on("close", callback);
  }

  cut(): void {
    this.client.destroy();
    this.server.destroy();
  }

  /** The client is gone, the server does not know. */
  #orphan(): void {
    this.#isOrphan = true;
    this.client.destroy();
  }

  #read(bytes: Buffer): void {
    if (this.#isOrphan || this.#isCutAfterReply) return;
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    for (;;) {
      const end = this.#endOfMessage();
      if (end === undefined) return;
      const message = this.#unread.subarray(0, end);
      this.#unread = this.#unread.subarray(end);
      if (!this.#pass(message)) return;
    }
  }

  /** Undefined as long as it has not come in full. The start-up message alone has no type. */
  #endOfMessage(): number | undefined {
    const bytes = this.#unread;
    if (!this.#isStarted) return bytes.length < 4 ? undefined : bytes.readUInt32BE(0);
    const isQuery = bytes[0] === PARSE;
    for (let start = 0; start + HEADER_BYTES <= bytes.length; ) {
      const end = start + 1 + bytes.readUInt32BE(start + 1);
      if (end > bytes.length) return undefined;
      if (!isQuery || bytes[start] === SYNC) return end;
      start = end;
    }
    return undefined;
  }

  /** False when the client's connection was cut. */
  #pass(message: Buffer): boolean {
    if (!this.#isStarted) {
      this.#isStarted = true;
      this.server.write(message);
      return true;
    }
    const fault = this.proxy.chooseFault(describe(message));
    if (fault === "pass") {
      this.server.write(message);
      return true;
    }
    this.proxy.faults += 1;
    if (fault === "drop-reply") this.#isCutAfterReply = true;
    else this.#orphan();
    if (typeof fault === "number") setTimeout(() => this.server.write(message), fault);
    else if (fault === "cut-within") this.server.write(message.subarray(0, message.length >> 1));
    else if (fault !== "cut-before") this.server.write(message);
    return false;
  }
}

function describe(message: Buffer): ClientMessage {
  const type = String.fromCharCode(message[0] as number);
  if (type !== "Q" && type !== "P") return { type, sql: "" };
  const [first = "", second = ""] = message.subarray(HEADER_BYTES).toString("utf8").split("\0");
  return { type, sql: type === "Q" ? first : second };
}
