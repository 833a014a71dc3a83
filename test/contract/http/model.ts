/** What the origin says of a URL's responses; its version changes now and then. */
export interface Says {
  /** In seconds; `undefined` is `no-store`. */
  readonly maxAge: number | undefined;
  readonly etag: boolean;
  readonly tag: boolean;
}

export type Step =
  | { readonly do: "get"; readonly url: number; readonly foo: number }
  | { readonly do: "pass"; readonly seconds: number }
  | { readonly do: "say"; readonly url: number; readonly says: Says }
  | { readonly do: "change"; readonly url: number }
  | { readonly do: "post"; readonly url: number }
  | { readonly do: "purge"; readonly url: number; readonly soft: boolean }
  | { readonly do: "purge tag"; readonly soft: boolean };

interface Entry {
  version: number;
  foo: number | undefined;
  madeAt: number;
  maxAge: number;
  etag: boolean;
  tag: boolean;
  invalid: boolean;
}

/** The part of RFC 9111 that the steps reach, in the plainest way: what a GET gets, and whether the origin was asked. */
export class Model {
  readonly says: Says[];
  readonly versions: number[];
  #now = 0;
  readonly #stored = new Map<number, Entry[]>();

  constructor(urls: number) {
    this.says = Array.from({ length: urls }, () => ({ maxAge: 15, etag: true, tag: false }));
    this.versions = Array.from({ length: urls }, () => 1);
  }

  /** Responses of odd URLs have Vary. */
  static varies(url: number): boolean {
    return url % 2 === 1;
  }

  get(url: number, foo: number): { version: number; asked: boolean } {
    const says = this.says[url] as Says;
    const version = this.versions[url] as number;
    const key = Model.varies(url) ? foo : undefined;
    const entry = this.#of(url).find((each) => each.foo === key);
    if (entry && !entry.invalid && this.#now - entry.madeAt < entry.maxAge)
      return { version: entry.version, asked: false };
    this.#stored.set(
      url,
      this.#of(url).filter((each) => each !== entry),
    );
    const isSame = entry?.etag === true && says.etag && entry.version === version;
    if (says.maxAge !== undefined && (says.maxAge > 0 || says.etag)) {
      this.#of(url).push({
        version,
        foo: key,
        madeAt: this.#now,
        maxAge: says.maxAge,
        etag: says.etag,
        tag: says.tag || (isSame && entry.tag),
        invalid: false,
      });
    }
    return { version, asked: true };
  }

  apply(step: Exclude<Step, { do: "get" }>): void {
    if (step.do === "pass") this.#now += step.seconds;
    else if (step.do === "say") this.says[step.url] = step.says;
    else if (step.do === "change") this.versions[step.url] = (this.versions[step.url] as number) + 1;
    else if (step.do === "post") this.#stored.delete(step.url);
    else if (step.do === "purge") this.#purge(step.url, step.soft, () => true);
    else for (const url of this.#stored.keys()) this.#purge(url, step.soft, ({ tag }) => tag);
  }

  #purge(url: number, soft: boolean, concerns: (entry: Entry) => boolean): void {
    if (!soft)
      this.#stored.set(
        url,
        this.#of(url).filter((entry) => !concerns(entry)),
      );
    for (const entry of this.#of(url)) entry.invalid ||= concerns(entry);
  }

  #of(url: number): Entry[] {
    const entries = this.#stored.get(url) ?? [];
    this.#stored.set(url, entries);
    return entries;
  }
}
