import { ByHand, TTL } from "./store.ts";

/** What ioredis and its fork have in common. */
export interface RedisLike {
  get(key: string): Promise<string | null>;
  mget(keys: string[]): Promise<(string | null)[]>;
  set(key: string, text: string, unit: "EX", ttl: number): Promise<unknown>;
  quit(): Promise<unknown>;
}

/** Plain ioredis or iovalkey, with its defaults. */
export class RedisByHand extends ByHand {
  readonly #client: RedisLike;

  constructor(client: RedisLike) {
    super();
    this.#client = client;
  }

  protected override read(key: string): Promise<string | null> {
    return this.#client.get(key);
  }

  protected override readMany(keys: readonly string[]): Promise<(string | null)[]> {
    return this.#client.mget([...keys]);
  }

  protected override write(key: string, text: string): Promise<unknown> {
    return this.#client.set(key, text, "EX", TTL);
  }

  override async close(): Promise<void> {
    await this.#client.quit();
  }
}
