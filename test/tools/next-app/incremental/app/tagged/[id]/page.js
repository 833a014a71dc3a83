import { unstable_cache } from "next/cache";
import { ask } from "../../../origin.js";

export const revalidate = 3600;
export const generateStaticParams = () => [];

/** A page with the tag of the data in it. */
export default async function Page({ params }) {
  const { id } = await params;
  const { generation } = await ask(`tagged-${id}`);
  const load = unstable_cache(() => ask(`within-${id}`), ["within", id], { tags: [`tagged-${id}`] });
  const within = await load();
  return <p id="generation">{`tagged ${generation} within ${within.generation}`}</p>;
}
