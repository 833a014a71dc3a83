/** Modules of workerd, as far as the tests use them. */
declare module "cloudflare:sockets" {
  export function connect(
    address: { hostname: string; port: number },
    options?: { secureTransport?: "off" | "on" | "starttls" },
  ): {
    readonly readable: ReadableStream<Uint8Array>;
    readonly writable: WritableStream<Uint8Array>;
    /** Rejects when the connection is refused. */
    readonly opened: Promise<unknown>;
  };
}

declare namespace Cloudflare {
  interface Env {
    readonly VALKEY: import("../../examples/durable-object/valkey-object.js").ValkeyObjects;
  }
}

declare module "cloudflare:workers" {
  export const env: Cloudflare.Env;
}

declare module "cloudflare:test" {
  /** Runs a function inside a Durable Object. */
  export function runInDurableObject<R>(
    object: object,
    run: (instance: object, state: { abort(reason: string): void }) => R | Promise<R>,
  ): Promise<R>;
}
