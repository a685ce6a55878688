// A client of S3 whose listings can be made to fail, as the conformance suite wants it.
import type { S3, S3ClientConfig } from "@aws-sdk/client-s3";

/** How a listing is told from what is asked beside it: it asks for pages of this size. */
export interface FaultyClient {
  readonly client: S3;
  failPage(n: number): void;
}

/** @param instead Answers a request itself, with the body of a 200. */
export function faultyClient(
  connect: (config: S3ClientConfig) => S3,
  pageSize: number,
  instead: (prefix: string) => string | undefined = () => undefined,
): FaultyClient {
  let armed: number | undefined;
  let failing: number | undefined;
  let page = 0;
  const plain = connect({});
  const inner = plain.config.requestHandler;
  const handle: typeof inner.handle = async (request, options) => {
    const { query = {} } = request;
    if (query["list-type"] === "2") {
      const isPage = query["max-keys"] === String(pageSize) && !("delimiter" in query);
      if (isPage && !("continuation-token" in query)) {
        [failing, armed, page] = [armed, undefined, 0];
      }
      if (isPage && ++page === failing) throw new Error("The cable was cut");
      const body = instead(String(query["prefix"]));
      if (body !== undefined) {
        const response = { statusCode: 200, headers: {}, body: new TextEncoder().encode(body) };
        return { response } as Awaited<ReturnType<typeof handle>>;
      }
    }
    return await inner.handle(request, options);
  };
  const requestHandler: typeof inner = Object.create(inner, { handle: { value: handle } });
  return { client: connect({ requestHandler }), failPage: (n) => armed = n };
}
