import { ask } from "../../origin.js";

export const getStaticPaths = () => ({ paths: [], fallback: "blocking" });

export async function getStaticProps({ params, draftMode }) {
  if (params.id.startsWith("missing")) return { notFound: true, revalidate: 3600 };
  if (params.id.startsWith("moved")) return { redirect: { destination: "/", permanent: false }, revalidate: 3600 };
  const { generation } = await ask(`old-${params.id}`);
  return { props: { generation, draft: draftMode === true }, revalidate: 3600 };
}

export default ({ generation, draft }) => <p id="generation">{`${draft ? "draft" : "old"} ${generation}`}</p>;
