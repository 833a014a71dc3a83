import { revalidatePath, revalidateTag } from "next/cache";

/** Revalidates as the query says: `tag` with `profile` or `expire`, or `path` with `type`. */
export async function POST(request) {
  const query = new URL(request.url).searchParams;
  const [tag, profile, expire] = ["tag", "profile", "expire"].map((name) => query.get(name) ?? undefined);
  if (tag !== undefined) revalidateTag(tag, expire === undefined ? profile : { expire: Number(expire) });
  const [path, type] = ["path", "type"].map((name) => query.get(name) ?? undefined);
  if (path !== undefined) revalidatePath(path, type);
  return Response.json({ revalidated: true });
}
