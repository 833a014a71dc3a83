/** As far as the example uses it. Your own project has `@cloudflare/workers-types`. */
declare module "cloudflare:workers" {
  export abstract class DurableObject<Env> {
    protected readonly env: Env;
  }
}
