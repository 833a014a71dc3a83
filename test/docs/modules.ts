/** What blocks of docs/ import besides packages, as far as they use it: declarations by the name of their file. */
export const MODULES: Readonly<Record<string, string>> = {
  "db.d.ts": `type User = { readonly id: string; readonly name: string; readonly team: string };
export declare const db: {
  user(id: string, options?: { readonly signal?: AbortSignal; readonly tenant?: string }): Promise<User>;
  users(ids: readonly string[]): Promise<Map<string, User>>;
  members(team: string): Promise<User[]>;
  rename(id: string, name: string): Promise<void>;
  join(id: string, team: string): Promise<void>;
  insert(tenant: string, users: readonly User[]): Promise<void>;
  remove(tenant: string): Promise<void>;
};
`,
  "render.d.ts": `export declare function render(path: string): Promise<string>;
`,
  "reports.d.ts": `export declare function findReport(id: string, options: { from: Date; deep: boolean }): Promise<string>;
`,
  "clouds.d.ts": `declare module "google-auth-library" {
  export class GoogleAuth {
    constructor(options: { scopes: string });
    getClient(): Promise<{
      readonly credentials: { readonly expiry_date?: number | null };
      getAccessToken(): Promise<{ readonly token?: string | null }>;
    }>;
  }
}
declare module "@azure/identity" {
  export class DefaultAzureCredential {
    getToken(scope: string): Promise<{ readonly token: string; readonly expiresOnTimestamp: number }>;
  }
}
declare module "@aws-crypto/sha256-js" {
  export class Sha256 {}
}
declare module "@aws-sdk/credential-provider-node" {
  export function defaultProvider(): () => Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }>;
}
declare module "@smithy/signature-v4" {
  type Query = Record<string, string | string[] | null>;
  interface Request { method: string; protocol: string; hostname: string; path: string; query?: Query; headers: Record<string, string> }
  export class SignatureV4 {
    constructor(options: { credentials: () => Promise<object>; region: string; service: string; sha256: new () => object });
    presign(request: Request, options: { expiresIn: number }): Promise<Request>;
  }
}
`,
  "accounts.d.ts": `export declare function findAccount(
  name: string,
  options: { readonly signal: AbortSignal },
): Promise<{ readonly name: string; readonly email: string } | undefined>;
`,
  "payments.d.ts": `export interface Receipt {
  readonly number: string;
}
export declare function charge(
  amount: number,
  options: { readonly idempotencyKey: string; readonly signal: AbortSignal },
): Promise<Receipt>;
`,
  "cloudflare.d.ts": `declare module "cloudflare:sockets" {
  export function connect(
    address: { hostname: string; port: number },
    options?: { secureTransport?: "on" | "off" },
  ): { readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> };
}
`,
  "bun.d.ts": `declare const Bun: {
  sleep(ms: number): Promise<void>;
  serve(options: {
    port?: number;
    routes?: Record<string, (request: Request & { params: { id: string } }) => Response | Promise<Response>>;
    fetch?: (request: Request) => Response | Promise<Response>;
  }): { readonly url: URL; stop(): Promise<void> };
};
`,
  "deno.d.ts": `declare const Deno: {
  readonly env: { get(name: string): string | undefined };
  serve(
    options: { port?: number; hostname?: string },
    handler: (request: Request) => Response | Promise<Response>,
  ): { shutdown(): Promise<void> };
  addSignalListener(signal: "SIGTERM" | "SIGINT", handler: () => void): void;
};
`,
  "vercel.d.ts": `declare module "@vercel/functions" {
  export function waitUntil(work: Promise<unknown>): void;
}
`,
  "valkey-object.d.ts": `import type { ConnectionFactory } from "valkey-edge-cache";
export interface ValkeyObjects {
  getByName(name: string): object;
}
export declare class ValkeyObject {}
export declare function throughObject(objects: ValkeyObjects, name?: string): ConnectionFactory;
`,
  "sveltekit.d.ts": `declare module "#lib/server/cache.ts" {
  export const cache: import("valkey-edge-cache").Cache;
  export function findProduct(id: string): Promise<{ id: string; name: string } | undefined>;
  export function saveProduct(id: string, name: string): Promise<void>;
}
`,
  "$types.d.ts": `export type RequestHandler = (event: {
  readonly request: Request;
  readonly params: { readonly id: string };
}) => Response | Promise<Response>;
`,
};
