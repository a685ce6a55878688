/** Watches a paged REST collection: each user that is added, changed or removed is one event. */
import { CollectionPoller, jsonPages, watchExternal } from "@koprs/external";
import { serve } from "./_server.ts";

interface User {
  id: number;
  name: string;
}

// A stand-in for the real API: two users a page, the next page in a `Link` header.
const users: User[] = ["Ada", "Grace", "Edsger"].map((name, i) => ({ id: i + 1, name }));
const server = await serve((request, response) => {
  const page = Number(/\bpage=(\d+)/.exec(request.url ?? "")?.[1] ?? 1);
  if (page * 2 < users.length) response.setHeader("link", `</users?page=${page + 1}>; rel="next"`);
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(users.slice(page * 2 - 2, page * 2)));
});

const poller = new CollectionPoller<User>({
  name: "users",
  list: jsonPages(`${server.url}/users`),
  key: (user) => String(user.id),
});
for await (const event of watchExternal(poller, 100)) {
  console.log(event.type, event.item.name);
  if (event.type === "added" && event.item.id === 3) users.splice(0, 1); // Ada leaves.
  if (event.type === "removed") break;
}
await server.close();
