/** Cuts a stream of text into server-sent events, wherever the network cut it (the HTML standard, 9.2.6). */

export interface ServerEvent {
  /** `message` where the server named none. */
  readonly name: string;
  readonly data: string;
}

/** Longer than this without an end is no event of ours; what came so far is let go. */
export const eventCharactersMax = 8_000_000;

export class SseParser {
  private rest = "";
  private name = "";
  private data: string[] = [];
  private characters = 0;
  private started = false;
  private skipLineFeed = false;

  /** The events that this piece completes, in order. */
  push(piece: string): ServerEvent[] {
    let text = this.rest + piece;
    if (!this.started && text !== "") {
      this.started = true;
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    }
    const events: ServerEvent[] = [];
    let from = 0;
    for (let at = this.rest.length; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit === 0x0a && this.skipLineFeed && at === from) {
        this.skipLineFeed = false;
        from = at + 1;
        continue;
      }
      this.skipLineFeed = false;
      if (unit !== 0x0a && unit !== 0x0d) continue;
      const event = this.line(text.slice(from, at));
      if (event !== undefined) events.push(event);
      this.skipLineFeed = unit === 0x0d;
      from = at + 1;
    }
    this.rest = text.slice(from);
    if (this.rest.length + this.characters > eventCharactersMax) {
      throw new RangeError(`An event may have ${eventCharactersMax} characters, got more without an end`);
    }
    return events;
  }

  private line(line: string): ServerEvent | undefined {
    if (line === "") return this.dispatch();
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const after = colon === -1 ? "" : line.slice(colon + 1);
    const value = after.startsWith(" ") ? after.slice(1) : after;
    if (field === "event") this.name = value;
    if (field === "data") {
      this.data.push(value);
      this.characters += value.length;
    }
    return undefined;
  }

  private dispatch(): ServerEvent | undefined {
    const { name, data } = this;
    this.name = "";
    this.data = [];
    this.characters = 0;
    return data.length === 0 ? undefined : { name: name === "" ? "message" : name, data: data.join("\n") };
  }
}
