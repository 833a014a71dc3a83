import { cacheLife, cacheTag } from "next/cache";
import { ask } from "../../../origin.js";

export const generateStaticParams = () => [{ id: "built" }];

/** A page that is cached as a whole. */
export default async function Page({ params }) {
  "use cache";
  const { id } = await params;
  cacheTag(`whole-${id}`);
  cacheLife("hours");
  const { generation } = await ask(`whole-${id}`);
  return <p id="whole">{`whole ${generation}`}</p>;
}
