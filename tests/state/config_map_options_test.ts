// ConfigMapCheckpointStore: misuse. The rest is in tests/kubernetes/ and tests/servers/.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigMapCheckpointStore } from "@koprs/external/checkpoints/config_map";

const cluster = { url: "http://127.0.0.1:1" };

test("misuse is a TypeError", () => {
  const make = (options: unknown, of: unknown = cluster) => () =>
    new ConfigMapCheckpointStore(of as typeof cluster, options as { namespace: string });
  for (const options of [undefined, {}, { namespace: "" }, { namespace: 7 }]) {
    assert.throws(make(options), { name: "TypeError", message: /'namespace' must be a string/ });
  }
  for (const prefix of ["", "A", "a_b", "-a", "a-", "a.b", "a/b", "x".repeat(64), 7]) {
    assert.throws(make({ namespace: "a", prefix }), {
      name: "TypeError",
      message: /'prefix' must/,
    });
  }
  assert.throws(make({ namespace: "a" }, {}), { name: "TypeError", message: /no 'url'/ });
  for (const prefix of ["a", "a-1", "x".repeat(63)]) make({ namespace: "a", prefix })();
});
