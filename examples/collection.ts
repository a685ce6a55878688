/** A paged REST collection: each user that comes, changes or goes is one event. */
import { CollectionPoller, jsonPages, watchExternal } from "@koprs/external";

interface User {
  id: number;
  name: string;
}

// A stand-in for the real API: two users a page, the next page in a `Link` header.
const users: User[] = ["Ada", "Grace", "Edsger"].map((name, i) => ({
  id: i + 1,
  name,
}));
const server = Deno.serve({ port: 0, onListen() {} }, (request) => {
  const page = Number(new URL(request.url).searchParams.get("page") ?? 1);
  const headers = new Headers();
  if (page * 2 < users.length) {
    headers.set("link", `</users?page=${page + 1}>; rel="next"`);
  }
  return Response.json(users.slice(page * 2 - 2, page * 2), { headers });
});

const poller = new CollectionPoller<User>({
  name: "users",
  list: jsonPages(`http://localhost:${server.addr.port}/users`),
  key: (user) => String(user.id),
});
for await (const event of watchExternal(poller, 100)) {
  console.log(event.type, event.item.name);
  if (event.type === "added" && event.item.id === 3) users.splice(0, 1); // Ada leaves.
  if (event.type === "removed") break;
}
await server.shutdown();
