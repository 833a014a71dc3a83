import { type Key, StoredKey } from "../core/key.js";
import type { Context } from "./io.js";

/** The key that an argument names: the user's key in the namespaces of `--namespace`, or the stored key itself. */
export function keyOf({ cache, options }: Context, argument: string): Key {
  if (options.flag("stored")) return new StoredKey(argument);
  const inside = options
    .list("namespace")
    .reduce<Pick<typeof cache, "makeKey" | "namespace">>((outer, name) => outer.namespace(name), cache);
  return inside.makeKey(argument);
}
