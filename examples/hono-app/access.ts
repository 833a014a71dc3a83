import type { Context } from "hono";
import { auth } from "hono/utils/basic-auth";
import { timingSafeEqual } from "hono/utils/buffer";

export interface AccessOptions {
  /** Clients with this token are let in: as a bearer token, or as the password of any user. @default no client */
  token?: string | undefined;
  /** Whether a request comes from this machine: where there is no token, such requests are let in. @default none does */
  isLocal?: ((c: Context) => boolean) | undefined;
}

/** Which requests may look into the cache, and change it. */
export class Access {
  readonly #token: string | undefined;
  readonly #isLocal: ((c: Context) => boolean) | undefined;

  constructor({ token, isLocal }: AccessOptions) {
    this.#token = token || undefined;
    this.#isLocal = isLocal;
  }

  /** Whether there are clients that are let in. */
  get isPossible(): boolean {
    return this.#token !== undefined || this.#isLocal !== undefined;
  }

  get needsToken(): boolean {
    return this.#token !== undefined;
  }

  async allows(c: Context): Promise<boolean> {
    if (this.#token === undefined) return this.#isLocal?.(c) === true;
    const given = tokenOf(c);
    return given !== undefined && (await timingSafeEqual(given, this.#token));
  }

  /** For pages: lets the browser ask for the token, as the password of any user. */
  async authorize(c: Context): Promise<boolean | Response> {
    const isAllowed = await this.allows(c);
    if (isAllowed || !this.needsToken) return isAllowed;
    return c.text("Give INSPECTOR_TOKEN as the password, with any user name.\n", 401, {
      "WWW-Authenticate": 'Basic realm="inspector", charset="UTF-8"',
    });
  }

  /** For scripts: middleware that answers requests which are not let in. Browsers don't ask for a password then. */
  readonly guard = async (c: Context, next: () => Promise<void>): Promise<Response | undefined> => {
    if (await this.allows(c)) {
      await next();
      return undefined;
    }
    const message = this.needsToken
      ? "This needs the token of INSPECTOR_TOKEN"
      : "This works on the server's own machine";
    return c.json(
      { error: { message } },
      this.needsToken ? 401 : 403,
      this.needsToken ? { "WWW-Authenticate": "Bearer" } : {},
    );
  };
}

function tokenOf(c: Context): string | undefined {
  const bearer = /^Bearer +(.+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  return bearer ?? auth(c.req.raw)?.password;
}
