// A server that ignores the prefix is told, by every way of listing, whatever else the page holds.
import { ExternalError } from "@koprs/external";
import { type ObjectMeta, type ObjectStore, ObjectStorePoller } from "@koprs/external/store";
import assert from "node:assert/strict";
import { test } from "node:test";
import { textBytes } from "../../_bytes/exact_text.ts";
import type { ObjectBuilder } from "../../_diff/builder.ts";
import { Bounds } from "../../_listing/key_bounds.ts";
import { isOrderFault } from "../../_listing/order_fault.ts";
import { scanPages } from "../../_listing/scanning_store.ts";
import { poll } from "../diff/_replay.ts";

const isPrefixFault = (key: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof ExternalError, String(error));
  assert.equal(error.code, "protocol");
  assert.match(error.message, key);
  assert.match(error.message, /does not begin with 'dir\/'.*ignores the prefix/);
  return true;
};

/** A store that gives these keys whatever it is asked for. */
function storeOf(keys: () => readonly string[], ranged: boolean, scans: boolean): ObjectStore {
  const pages = async function* () {
    for (const key of keys()) yield [{ key, size: 1, etag: key } satisfies ObjectMeta];
  };
  return {
    name: "test://",
    ranged,
    list: pages,
    get: () => Promise.reject(new Error("a poll reads no content")),
    ...(scans && {
      async *[scanPages]() {
        for await (const page of pages()) {
          yield {
            count: page.length,
            addTo: (builder: ObjectBuilder) => {
              for (const { key, size } of page) {
                const bytes = textBytes(key);
                builder.addRaw(bytes, 0, bytes.length, bytes, 0, bytes.length, true, size, 1);
              }
            },
          };
        }
      },
    }),
  };
}

test("a key without the prefix fails the poll, at any place, and nothing is removed", async () => {
  const right = ["dir/a", "dir/b", "dir/c", "dir/d"];
  const others = ["dir", "di", "", "Dir/b", "dir0", "a", "dis/x", "\u{10ffff}"];
  for (const ranged of [false, true]) {
    for (const way of ["listed", "scanned", "filtered", "aged"]) {
      let keys = right;
      const poller = new ObjectStorePoller(storeOf(() => keys, ranged, way === "scanned"), {
        prefix: "dir/",
        ...(way === "filtered" && { filter: ({ key }) => key !== "dir/c" }),
        ...(way === "aged" && { minAge: 1 }),
      });
      const known = (await poll(poller)).length;
      for (const other of others) {
        for (let at = 0; at <= right.length; at++) {
          keys = right.toSpliced(at, 0, other);
          await assert.rejects(poll(poller), isPrefixFault(new RegExp(`'${other}'`)), way);
        }
      }
      keys = right.slice(1);
      assert.equal((await poll(poller)).length, 1, `${known} were known`);
    }
  }
});

test("a key in a message cannot forge a line", async () => {
  const poller = new ObjectStorePoller(storeOf(() => ["a\n\x1b[31mb"], false, false), {
    prefix: "dir/",
  });
  await assert.rejects(poll(poller), isPrefixFault(/'a\\n\\x1b\[31mb'/));
});

test("bounds are the same for a key as text and as bytes", () => {
  const keys = ["p/", "p/a", "p/b", "p/c", "p/\uffff", "p/\u{10000}", "q", "", "p", "p/b\0"];
  const ranges = [{}, { after: "p/a" }, { until: "p/b" }, { after: "p/b", until: "p/\uffff" }];
  for (const range of ranges) {
    const bounds = new Bounds("test://", "p/", range);
    for (const key of keys) {
      const bytes = textBytes(`<${key}>`);
      const outcomes = [
        () => bounds.checkText(key),
        () => bounds.checkBytes(bytes, 1, bytes.length - 1),
      ].map((check) => {
        try {
          check();
          return "in";
        } catch (error) {
          return isOrderFault(error) ? "out of range" : "without the prefix";
        }
      });
      assert.equal(outcomes[0], outcomes[1], JSON.stringify([key, range]));
      if (!key.startsWith("p/")) assert.equal(outcomes[0], "without the prefix");
    }
  }
  assert.ok(new Bounds("test://", "", {}).areOpen);
  assert.ok(!new Bounds("test://", "", { until: "" }).areOpen);
});
