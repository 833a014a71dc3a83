import { cacheLife, cacheTag } from "next/cache";
import { Suspense } from "react";
import { ask } from "../../../origin.js";

export const generateStaticParams = () => [{ id: "built" }];

/** A page without anything that belongs to a request: after its first request it is static. */
export default ({ params }) => (
  <Suspense fallback={<p>Loading</p>}>
    <Content params={params} />
  </Suspense>
);

const Content = async ({ params }) => <Whole id={(await params).id} />;

async function Whole({ id }) {
  "use cache";
  cacheTag(`whole-${id}`);
  cacheLife("hours");
  const { generation } = await ask(`whole-${id}`);
  return <p id="whole">{`whole ${generation}`}</p>;
}
