import { revalidatePath, revalidateTag, updateTag } from "next/cache";
import { draftMode } from "next/headers";
import Link from "next/link";
import { Suspense } from "react";
import { local } from "../../../values.js";

/** A post that its readers can change. */
export default ({ params }) => (
  <Suspense fallback={<p>Loading</p>}>
    <Post params={params} />
  </Suspense>
);

async function Post({ params }) {
  const { id } = await params;
  const { generation } = await local(id);
  const { isEnabled } = await draftMode();

  async function update() {
    "use server";
    updateTag(`local-${id}`);
    // The same request.
    const { generation } = await local(id);
    console.log(`action saw ${generation}`);
  }
  async function refresh() {
    "use server";
    revalidateTag(`local-${id}`, "max");
  }
  async function path() {
    "use server";
    revalidatePath(`/post/${id}`);
  }
  return (
    <>
      <p id="generation">{`generation ${generation}`}</p>
      <p id="draft">{isEnabled ? "draft" : "published"}</p>
      <Link id="other" href="/page/linked">
        Other
      </Link>
      {Object.entries({ update, refresh, path }).map(([name, action]) => (
        <form key={name} id={name} action={action}>
          <button type="submit">{name}</button>
        </form>
      ))}
    </>
  );
}
