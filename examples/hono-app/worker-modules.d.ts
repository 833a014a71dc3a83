/** What wrangler.toml's rules make of files that are no code. */
declare module "*.bin" {
  const bytes: ArrayBuffer;
  // biome-ignore lint/style/noDefaultExport: that is how such modules are made
  export default bytes;
}

declare module "*.html" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: that is how such modules are made
  export default text;
}

/** What `wrangler dev --var` gives. Your own project has this from `wrangler types`. */
declare namespace Cloudflare {
  interface Env {
    readonly VALKEY_URL?: string;
    readonly PURGE_TOKEN?: string;
    readonly INSPECTOR_TOKEN?: string;
  }
}

declare module "cloudflare:workers" {
  export const env: Cloudflare.Env;
}
