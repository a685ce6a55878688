/** Watches a JSON endpoint and validates its content: invalid content never reaches the loop. */
import { HttpPoller, type HttpResource, watchExternal } from "@koprs/external";
import { serve } from "./_server.ts";

interface Config {
  replicas: number;
}

function parse(resource: HttpResource): Config {
  const config = resource.json() as Partial<Config>;
  if (typeof config.replicas !== "number") throw new Error("'replicas' must be a number");
  return { replicas: config.replicas };
}

// A stand-in for the real server. Its second answer is invalid.
const answers = ['{"replicas": 1}', '{"replicas": "two"}', '{"replicas": 2}'];
const server = await serve((_, response) => void response.end(answers.shift()));

const poller = new HttpPoller(`${server.url}/config.json`, {
  validate: parse,
});
const watch = watchExternal(poller, {
  interval: 50,
  logger: false,
  onError: (error) => console.log("not taken:", error.message),
});
for await (const event of watch) {
  if (event.type === "removed") break;
  const config = parse(event.item);
  console.log(event.type, config);
  if (config.replicas === 2) break;
}
await server.close();
