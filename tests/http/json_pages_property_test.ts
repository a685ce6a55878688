// jsonPages under a CollectionPoller: replay equals reality, whatever pages, validators and faults do.
import fc from "fast-check";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { CollectionPoller, ExternalError, jsonPages } from "@koprs/external";
import { serve } from "./_http_server.ts";

interface Item {
  readonly id: string;
  readonly revision: number;
}

/** How pages are linked, and what they are validated by. */
interface Style {
  /** The ETag of a page stands for its items alone, for its items and its link, or there is none. */
  readonly etag: "items" | "all" | "none";
  /** Where the next page is told. */
  readonly link: "header" | "body";
  /** Cursors are new in each walk, or stay. */
  readonly cursors: "new" | "same";
}

type FaultKind = "status" | "cut" | "text" | "hang up" | "condition";

interface Step {
  /** Revisions of items; undefined for one that goes. */
  readonly changes: readonly (readonly [id: string, revision: number | undefined])[];
  readonly fault: { readonly page: number; readonly kind: FaultKind } | undefined;
  /** The consumer stops at this event, and goes on in the next poll. */
  readonly stopAt: number | undefined;
  readonly restart: boolean;
}

interface History {
  readonly pageSize: number;
  readonly style: Style;
  readonly steps: readonly Step[];
}

const id = fc.constantFrom(..."abcdefgh");
const histories: fc.Arbitrary<History> = fc.record({
  pageSize: fc.integer({ min: 1, max: 4 }),
  style: fc.record({
    etag: fc.constantFrom("items", "items", "all", "none"),
    link: fc.constantFrom("header", "body"),
    cursors: fc.constantFrom("same", "same", "new"),
  }),
  steps: fc.array(
    fc.record({
      changes: fc.array(
        fc.tuple(id, fc.option(fc.nat({ max: 2 }), { nil: undefined, freq: 2 })),
        { maxLength: 3 },
      ),
      fault: fc.option(
        fc.record({
          page: fc.integer({ min: 1, max: 4 }),
          kind: fc.constantFrom("status", "cut", "text", "hang up", "condition"),
        }),
        { nil: undefined, freq: 2 },
      ),
      stopAt: fc.option(fc.nat({ max: 3 }), { nil: undefined, freq: 3 }),
      restart: fc.boolean(),
    }),
    { maxLength: 8 },
  ),
});

test("replay equals the last complete walk", { timeout: 120_000 }, async (t) => {
  let items: readonly Item[] = [];
  let shape: History;
  let fault: Step["fault"];
  let walk = 0;
  let faults = 0;
  let unchanged = 0;
  const server = await serve(t, (request, response) => {
    const url = new URL(request.url ?? "", "http://x");
    const page = Number(url.searchParams.get("page") ?? 1);
    const { pageSize, style } = shape;
    const condition = request.headers["if-none-match"];
    if (fault?.page === page && (fault.kind !== "condition" || condition !== undefined)) {
      faults++;
      switch (fault.kind) {
        case "status":
        case "condition":
          return response.writeHead(page % 2 ? 503 : 404).end();
        case "cut":
          return response.writeHead(200, { etag: '"cut"' }).end('{"items":[{"id":"a",');
        case "text":
          return response.writeHead(200, { etag: '"text"' }).end("not found");
        case "hang up":
          return response.destroy();
      }
    }
    const start = (page - 1) * pageSize;
    const isLast = start + pageSize >= items.length;
    const cursor = style.cursors === "new" ? `&cursor=${walk}` : "";
    const next = isLast ? undefined : `?page=${page + 1}${cursor}`;
    const body = JSON.stringify({
      items: items.slice(start, start + pageSize),
      ...(style.link === "body" && { next }),
    });
    const told = style.etag === "items" ? body : `${body} ${next}`;
    const etag = `"${createHash("sha256").update(told).digest("hex").slice(0, 12)}"`;
    if (style.etag !== "none") response.setHeader("etag", etag);
    if (style.link === "header" && next !== undefined) {
      response.setHeader("link", `<${next}>; rel="next"`);
    }
    // A 304 must say where the next page is not, too: without a link the one known would still hold.
    if (style.link === "header" && next === undefined) response.setHeader("link", "");
    const known = style.etag !== "none" && condition === etag;
    if (known) unchanged++;
    response.writeHead(known ? 304 : 200).end(known ? undefined : body);
  });

  type Body = { items: Item[]; next?: string };
  const check = async (history: History): Promise<void> => {
    shape = history;
    const world = new Map([..."abcd"].map((id) => [id, 0]));
    const list = jsonPages<Item>(`${server.origin}/items`, {
      items: ({ body }) => (body as Body).items,
      next: ({ body, headers }) =>
        (body as Body).next ?? /^<(.*)>/.exec(headers.get("link") ?? "")?.[1],
    });
    const make = () => new CollectionPoller<Item>({ name: "items", list, key: ({ id }) => id });
    let poller = make();
    const replayed = new Map<string, number>();
    for (const step of history.steps) {
      for (const [id, revision] of step.changes) {
        if (revision === undefined) world.delete(id);
        else world.set(id, revision);
      }
      items = [...world].map(([id, revision]) => ({ id, revision }));
      fault = step.fault;
      walk++;
      const before = faults;
      let stopped = false;
      try {
        let nth = 0;
        for (const { type, item } of await poller.poll({ signal: AbortSignal.timeout(30_000) })) {
          if (type === "removed") replayed.delete(item.id);
          else replayed.set(item.id, item.revision);
          stopped = nth++ === step.stopAt;
          if (stopped) break;
        }
        assert.equal(faults, before, "a walk with a fault is not taken for whole");
      } catch (error) {
        assert(error instanceof ExternalError, String(error));
        assert.notEqual(faults, before, error.message);
        stopped = true;
      }
      if (!stopped) {
        assert.deepEqual(replayed, world);
      }
      if (step.restart) {
        const next = make();
        next.restore(poller.save());
        poller = next;
      }
    }
  };
  await fc.assert(fc.asyncProperty(histories, check), { numRuns: 250 });
  assert(faults > 50 && unchanged > 50, `${faults} faults, ${unchanged} pages unchanged`);
});
