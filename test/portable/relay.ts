/** A TCP relay whose connections can be cut; where they go to may be said later. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export class Relay {
  /** `host:port` */
  target = "";
  readonly #server = createServer((client) => {
    const at = this.target.lastIndexOf(":");
    const server = connect(Number(this.target.slice(at + 1)), this.target.slice(0, at));
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => undefined); // "close" follows
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  readonly #sockets = new Set<Socket>();

  static async listen(): Promise<Relay> {
    const relay = new Relay();
    await new Promise<void>((resolve) => relay.#server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  get endpoint(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}
