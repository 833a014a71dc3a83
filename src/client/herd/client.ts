import type { Encoded } from "../../codec/envelope.js";
import type { ClientContext, ClientFactory, LoadOptions } from "../client.js";
import { DefaultClient } from "../default-client.js";
import type { Stored } from "../key-commands.js";
import type { Loader, ManyLoader } from "../loader.js";
import type { Answer, Shared } from "../single-flight.js";
import { sealed } from "./entry.js";
import { type HerdOptions, type HerdSettings, toHerdSettings } from "./options.js";
import type { HerdProtocol } from "./protocol.js";

type ProtocolModule = typeof import("./protocol.js");

let loaded: ProtocolModule | undefined;

/** The protocol's code, which a process that has no herd client, or doesn't compute, need not read. */
export async function loadProtocol(): Promise<ProtocolModule> {
  loaded ??= await import("./protocol.js");
  return loaded;
}

/**
 * One caller in a whole fleet computes a missing or stale entry, while all others get an answer.
 * @throws {ConfigurationError} on wrong options
 */
export function herd(options: HerdOptions = {}): ClientFactory {
  const settings = toHerdSettings(options);
  return (context) => new HerdClient(context, settings);
}

export class HerdClient extends DefaultClient {
  protected readonly settings: HerdSettings;
  #protocol: HerdProtocol | undefined;

  constructor(context: ClientContext, settings: HerdSettings = toHerdSettings({})) {
    super(context);
    this.settings = settings;
  }

  override getOrSet(key: string, loader: Loader<unknown>, options: LoadOptions): Promise<unknown> {
    return super.getOrSet(key, loader, this.#withDefault(options));
  }

  override getOrSetMany(
    keys: readonly string[],
    loader: ManyLoader,
    options: LoadOptions,
  ): Promise<Map<string, unknown>> {
    return this.#with((protocol) => protocol.answerMany(keys, loader, this.#withDefault(options)));
  }

  override async close(): Promise<void> {
    await this.#protocol?.ended();
  }

  protected override get graceMs(): number {
    return this.settings.graceMs;
  }

  protected override wrap(encoded: Encoded, ttlMs: number | null): Stored {
    return sealed(this.context, this.settings, encoded, ttlMs, 0);
  }

  protected override answer(
    key: string,
    loader: Loader<unknown>,
    options: LoadOptions,
    shared: Shared,
  ): Promise<Answer> {
    return this.#with((protocol) => protocol.answer(key, loader, options, shared));
  }

  #with<T>(run: (protocol: HerdProtocol) => Promise<T>): Promise<T> {
    const protocol = this.#protocol ?? (loaded && this.#open(loaded));
    return protocol ? run(protocol) : loadProtocol().then((module) => run(this.#open(module)));
  }

  #open({ HerdProtocol }: ProtocolModule): HerdProtocol {
    this.#protocol ??= new HerdProtocol(this.context, this.settings, this.reads);
    return this.#protocol;
  }

  #withDefault(given: LoadOptions): LoadOptions {
    return given.hardTimeoutMs === undefined ? { ...given, hardTimeoutMs: this.settings.hardTimeoutMs } : given;
  }
}
