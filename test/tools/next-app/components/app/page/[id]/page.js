import { Suspense } from "react";
import { local, remote, streamed } from "../../../values.js";

/** A page whose shell is static and whose content is made of cached functions. */
export default ({ params }) => (
  <main>
    <h1>Page</h1>
    <Suspense fallback={<p>Loading</p>}>
      <Content params={params} />
    </Suspense>
  </main>
);

async function Content({ params }) {
  const { id } = await params;
  const [{ generation: here }, { generation: there }] = await Promise.all([local(id), remote(id)]);
  return (
    <>
      <p id="local">{`local ${here}`}</p>
      <p id="remote">{`remote ${there}`}</p>
      <Streamed id={id} />
    </>
  );
}

async function Streamed({ id }) {
  const { head, tail } = await streamed(id);
  return (
    <>
      <p id="head">{`head ${head.generation}`}</p>
      <Suspense fallback={<p>Loading the tail</p>}>
        <Tail tail={tail} />
      </Suspense>
    </>
  );
}

const Tail = async ({ tail }) => <p id="tail">{`tail ${(await tail).generation}`}</p>;
