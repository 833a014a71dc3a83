import { unstable_cache } from "next/cache";
import { ask } from "../../../../origin.js";

const load = (name, next) => fetch(`${process.env.ORIGIN_URL}/${name}`, { next }).then((response) => response.json());

const kinds = {
  fetched: (id) => load(`fetched-${id}`, { revalidate: 3600, tags: [`fetched-${id}`] }),
  /** Fresh for a second. */
  brief: (id) => load(`brief-${id}`, { revalidate: 1 }),
  unstable: (id) => unstable_cache(() => ask(`unstable-${id}`), ["unstable", id], { tags: [`unstable-${id}`] })(),
};

/** A dynamic handler over cached data. */
export async function GET(request, { params }) {
  const { kind, id } = await params;
  request.headers.get("accept");
  return Response.json(await kinds[kind](id));
}
