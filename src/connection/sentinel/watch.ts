import type { Socket } from "node:net";
import type {
  Argument,
  Command,
  Connection,
  ConnectionStatus,
  Reply,
  ScanOptions,
  Script,
  SendOptions,
} from "../../core/connection.js";
import type { Address } from "../../core/location.js";
import type { AddressResolver } from "../address-map.js";
import type { Login } from "../credentials.js";
import { dialSocket } from "../node-socket.js";
import type { TlsSettings } from "../options.js";
import { encode } from "../probe.js";

const CHANNEL = "+switch-master";
/** A published message in RESP2. */
const MESSAGE = /\$7\r\nmessage\r\n\$14\r\n\+switch-master\r\n\$\d+\r\n([^\r\n]*)\r\n/g;
/** A process that sends a few commands and ends needs no subscription. */
const WATCH_AFTER_MS = 200;
/** The longest incomplete message that is kept. */
const MAX_CHARACTERS = 65_536;

export interface WatchOptions {
  readonly address: Address;
  readonly settings: Login & {
    readonly tls: TlsSettings | undefined;
    readonly addressMap: AddressResolver | undefined;
  };
  /** Called with the message that the sentinel publishes when a primary was replaced. */
  onSwitch(message: string): void;
}

/**
 * A connection to a sentinel with a subscription over a separate socket. A GLIDE client with a subscription never stops
 * reconnecting once it has lost its server, even when it is closed. The next command renews a lost subscription.
 */
export class WatchedSentinel implements Connection {
  readonly #connection: Connection;
  readonly #address: Address;
  readonly #settings: WatchOptions["settings"];
  readonly #onSwitch: (message: string) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #socket: Socket | undefined;
  #isClosed = false;
  /** The sentinel's user may not subscribe. */
  #isRefused = false;

  constructor(connection: Connection, { address, settings, onSwitch }: WatchOptions) {
    this.#connection = connection;
    this.#address = address;
    this.#settings = settings;
    this.#onSwitch = onSwitch;
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    if (!this.#timer && !this.#socket && !this.#isClosed) {
      this.#timer = setTimeout(() => void this.#subscribe(), WATCH_AFTER_MS);
      this.#timer.unref();
    }
    return this.#connection.send(commands, options);
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    return this.#connection.script(script, keys, args, options);
  }

  scan(options: ScanOptions): AsyncIterable<string[]> {
    return this.#connection.scan(options);
  }

  status(): ConnectionStatus {
    const status = this.#connection.status();
    return this.#isRefused ? { ...status, unavailable: [...(status.unavailable ?? []), "SUBSCRIBE"] } : status;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
    await this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #subscribe(): Promise<void> {
    const { username, password, tls } = this.#settings;
    const socket = await dialSocket(this.#address, this.#settings);
    this.#timer = undefined;
    this.#socket = socket;
    const login = username === undefined ? [] : [username];
    const commands = [...(password === undefined ? [] : [["AUTH", ...login, password]]), ["SUBSCRIBE", CHANNEL]];
    let received = "";
    socket
      .unref()
      .setEncoding("utf8")
      .once(tls ? "secureConnect" : "connect", () => socket.write(commands.map(encode).join("")))
      .on("data", (text) => {
        received = this.#receive(received + text);
        if (/^-NOPERM /m.test(received)) this.#isRefused = true;
      })
      // "close" follows.
      .on("error", () => {})
      .once("close", () => {
        this.#socket = undefined;
      });
    if (this.#isClosed) socket.destroy();
  }

  /** Reports all complete messages. @returns the incomplete rest */
  #receive(received: string): string {
    let end = 0;
    for (const { 0: all, 1: message = "", index } of received.matchAll(MESSAGE)) {
      this.#onSwitch(message);
      end = index + all.length;
    }
    return received.slice(end).slice(-MAX_CHARACTERS);
  }
}
