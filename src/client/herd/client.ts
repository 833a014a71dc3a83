import type { Encoded } from "../../codec/envelope.js";
import type { Passes } from "../../core/near.js";
import { settleAll } from "../bulk-reads.js";
import type { ClientContext, ClientFactory, Loader, LoadOptions, ManyLoader } from "../client.js";
import { DefaultClient } from "../default-client.js";
import type { Stored } from "../key-commands.js";
import type { Answer, Shared } from "../single-flight.js";
import { mayRefreshEarly, sealed } from "./entry.js";
import { type HerdOptions, type HerdSettings, toHerdSettings } from "./options.js";
import type { HerdProtocol } from "./protocol.js";

type ProtocolModule = typeof import("./protocol.js");

/** The protocol's code, which a process that has no herd client, or doesn't compute, need not read. */
export function loadProtocol(): Promise<ProtocolModule> {
  return import("./protocol.js");
}

/**
 * Prevents cache stampedes: one caller in a whole fleet loads a missing or stale entry, while all others get the old value or wait
 * for the new one.
 * @throws {ConfigurationError} on wrong options
 * @example
 * const cache = createCache({ location: "valkey://localhost:6379", client: herd({ grace: "5m" }) });
 */
export function herd(options: HerdOptions = {}): ClientFactory {
  const settings = toHerdSettings(options);
  return (context) => new HerdClient(context, settings);
}

/** The client that `herd()` makes, for clients of your own that extend it. */
export class HerdClient extends DefaultClient {
  protected readonly settings: HerdSettings;
  #protocol: HerdProtocol | undefined;

  constructor(context: ClientContext, settings: HerdSettings = toHerdSettings({})) {
    super(context, settings);
    this.settings = settings;
  }

  /** @internal The settings of a herd client; `undefined` for other clients. */
  static settingsOf(client: object): HerdSettings | undefined {
    return client instanceof HerdClient ? client.settings : undefined;
  }

  override async getOrSetMany(
    keys: readonly string[],
    loader: ManyLoader,
    options: LoadOptions,
  ): Promise<Map<string, unknown>> {
    if (options.tags && !this.context.tags.met) await this.context.tags.meet();
    const protocol = this.#protocol ?? (await this.#open());
    return settleAll(this.context, await protocol.answerMany(keys, loader, options));
  }

  protected override readonly passes: Passes = (header) =>
    mayRefreshEarly(header, this.settings.beta, this.context.clock);

  override async close(): Promise<void> {
    await this.#protocol?.ended();
  }

  protected override readonly usual: DefaultClient = HerdClient.prototype;

  protected override get graceMs(): number {
    return this.settings.graceMs;
  }

  protected override wrap(encoded: Encoded, ttlMs: number | null): Stored {
    return sealed(this.context, this.settings, encoded, ttlMs, 0);
  }

  protected override async answer(
    key: string,
    loader: Loader<unknown>,
    options: LoadOptions,
    shared: Shared,
  ): Promise<Answer> {
    if (options.tags && !this.context.tags.met) await this.context.tags.meet();
    const protocol = this.#protocol ?? (await this.#open());
    return protocol.answer(key, loader, options, shared);
  }

  async #open(): Promise<HerdProtocol> {
    const { HerdProtocol } = await loadProtocol();
    this.#protocol ??= new HerdProtocol(this.context, this.settings, this.reads);
    return this.#protocol;
  }
}
