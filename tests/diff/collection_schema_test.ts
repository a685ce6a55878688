// CollectionPoller and jsonPages: items by a schema of a real library, or by a function.
import { type } from "arktype";
import assert from "node:assert/strict";
import { test } from "node:test";
import { CollectionPoller, jsonPages } from "@koprs/external";
import { ExternalError } from "@koprs/external/error";
import * as v from "valibot";
import { z } from "zod";
import { send, serve } from "../http/_http_server.ts";

const { signal } = new AbortController();

/** Whether two types are the same. */
type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true
  : false;
function isSame<A, B>(_: Same<A, B>): void {}

const User = z.object({ id: z.number().int(), name: z.string() });
const key = ({ id }: { id: number }) => String(id);

async function added<Raw, T>(poller: CollectionPoller<Raw, T>): Promise<T[]> {
  return [...await poller.poll({ signal })].map(({ item }) => item);
}

async function invalid(polled: Promise<unknown>): Promise<string> {
  try {
    await polled;
  } catch (error) {
    assert(error instanceof ExternalError);
    assert.equal(error.code, "invalid");
    return error.message;
  }
  assert.fail("it should have failed");
}

test("items have the type of the schema, or of what the function makes", async () => {
  const list = () => [{ id: 1, name: "Ada", more: true }];
  const name = "users";
  const zod = new CollectionPoller({ name, list, schema: User, key });
  const valibot = new CollectionPoller({
    name,
    list,
    schema: v.objectAsync({
      id: v.number(),
      name: v.pipeAsync(v.string(), v.checkAsync(() => true)),
    }),
    key,
  });
  const ark = new CollectionPoller({
    name,
    list,
    schema: type({ id: "number", name: "string" }),
    key,
  });
  const parsed = new CollectionPoller({
    name,
    list,
    parse: async (item) => await Promise.resolve({ id: Object.keys(item as object).length }),
    key,
  });
  const plain = new CollectionPoller({ name, list, key: (user) => String(user.id) });

  const [user] = await added(zod);
  isSame<typeof user, { id: number; name: string } | undefined>(true);
  assert.deepEqual(user, { id: 1, name: "Ada" });
  assert.deepEqual(await added(valibot), [{ id: 1, name: "Ada" }]);
  assert.equal((await added(ark))[0]?.name, "Ada");
  assert.deepEqual(await added(parsed), [{ id: 3 }]);
  assert.equal((await added(plain))[0]?.more, true);
});

test("an item that does not fit fails the poll in one line, by its place, and nothing is lost", async () => {
  let pages: unknown[][] = [[{ id: 1, name: "Ada" }], [{ id: 2, name: "Grace" }]];
  const poller = new CollectionPoller({
    name: "users",
    async *list() {
      yield* pages;
    },
    schema: User,
    key,
  });
  assert.equal((await added(poller)).length, 2);
  pages = [[{ id: 1, name: "Ada" }], [{ id: 2, name: "Grace" }, { id: "3", name: "x\ny" }]];
  assert.match(
    await invalid(poller.poll({ signal })),
    /^Cannot poll 'users': 'schema' rejected item 3 of the listing: id: [^\n]*$/,
  );
  assert.deepEqual([...poller.items()].map(({ id }) => id), [1, 2]);
  pages = [[{ id: 1, name: "Ada" }], [{ id: 2, name: "Grace" }]];
  assert.deepEqual(await added(poller), []);
});

test("jsonPages takes a schema, or a function, for its items", async (t) => {
  const bodies: Record<string, unknown> = {
    "/users": { data: [{ id: 1, name: "Ada" }] },
    "/bad": { data: [{ id: 1, name: "Ada" }, { id: "2", name: "Grace" }] },
  };
  const server = await serve(
    t,
    ({ url }, response) => send(response, { body: JSON.stringify(bodies[url ?? ""]) }),
  );
  const items = ({ body }: { body: unknown }) => (body as { data: unknown[] }).data;
  const walk = jsonPages(`${server.origin}/users`, { items, schema: User });
  isSame<ReturnType<typeof walk>, AsyncIterable<readonly { id: number; name: string }[]>>(true);
  const users = new CollectionPoller({
    name: "users",
    list: jsonPages(`${server.origin}/users`, { items, schema: User }),
    key,
  });
  const [user] = await added(users);
  assert.deepEqual(user, { id: 1, name: "Ada" });

  const names = new CollectionPoller({
    name: "names",
    list: jsonPages(`${server.origin}/users`, {
      items,
      parseItem: (item) => Promise.resolve((item as { name: string }).name),
    }),
    key: (name: string) => name,
  });
  assert.deepEqual(await added(names), ["Ada"]);

  const bad = new CollectionPoller({
    name: "bad",
    list: jsonPages(`${server.origin}/bad`, { items, schema: User }),
    key,
  });
  assert.match(
    await invalid(bad.poll({ signal })),
    /'schema' rejected item 2: id: [^\n]* \(page 1\)$/,
  );
  const failing = new CollectionPoller({
    name: "failing",
    list: jsonPages(`${server.origin}/users`, {
      items,
      parseItem: () => Promise.reject(new Error("no")),
    }),
    key: String,
  });
  assert.match(
    await invalid(failing.poll({ signal })),
    /'parseItem' rejected item 1: no \(page 1\)$/,
  );
});

test("both at once, and what is none of them, is a TypeError", () => {
  const list = () => [];
  const parse = () => ({ id: 1 });
  for (
    const options of [{ schema: User, parse }, { schema: {} }, { schema: 7 }, { parse: "json" }]
  ) {
    assert.throws(
      () => new CollectionPoller({ name: "users", list, key, ...options } as never),
      TypeError,
    );
  }
  for (const options of [{ schema: User, parseItem: parse }, { schema: {} }, { parseItem: 1 }]) {
    assert.throws(() => jsonPages("http://host/", options as never), TypeError);
  }
});
