import { GlideClient, Logger, TimeUnit } from "@valkey/valkey-glide";
import { ByHand, PATIENCE_MS, type Store, TTL } from "./store.ts";

/** Plain GLIDE, with its defaults but for the time it waits. */
class Glide extends ByHand {
  readonly #client: GlideClient;

  constructor(client: GlideClient) {
    super();
    this.#client = client;
  }

  protected override async read(key: string): Promise<string | null> {
    return (await this.#client.get(key)) as string | null;
  }

  protected override async readMany(keys: readonly string[]): Promise<(string | null)[]> {
    return (await this.#client.mget([...keys])) as (string | null)[];
  }

  protected override write(key: string, text: string): Promise<unknown> {
    return this.#client.set(key, text, { expiry: { type: TimeUnit.Seconds, count: TTL } });
  }

  override async close(): Promise<void> {
    this.#client.close();
  }
}

export async function open(url: string): Promise<Store> {
  const { hostname, port } = new URL(url);
  Logger.setLoggerConfig("off");
  const addresses = [{ host: hostname, port: Number(port) }];
  return new Glide(await GlideClient.createClient({ addresses, requestTimeout: PATIENCE_MS }));
}
