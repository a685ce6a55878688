// Requests of node:http that are found by a header, and ended from outside.
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { request } from "node:http";
import { test } from "node:test";
import { NodeRequest } from "../../_listing/node_request.ts";
import { serve } from "../http/_http_server.ts";

/** Sends a request that carries an id, and tells how it ended. */
function send(origin: string, id: string): Promise<string> {
  return new Promise((resolve) => {
    const sent = request(`${origin}/`, { headers: { "x-id": id } }, (answer) => {
      answer.resume().on("end", () => resolve("answered")).on("error", () => resolve("broken"));
    });
    sent.on("error", () => resolve("ended"));
    sent.end();
  });
}

test("a request that is under way is ended, and no other", async (t) => {
  const asked = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const { origin } = await serve(t, (incoming, outgoing) => {
    if (incoming.headers["x-id"] !== "mine") return outgoing.end();
    incoming.socket.once("close", () => closed.resolve());
    asked.resolve();
  });
  const mine = new NodeRequest("x-id", "mine");
  const sending = send(origin, "mine");
  assert.equal(await send(origin, "another"), "answered");
  await asked.promise;
  mine.end();
  mine.end();
  assert.equal(await sending, "ended");
  await closed.promise;
  mine.release();
});

test("a request that comes after the end is ended before it is sent", async (t) => {
  const { origin, requests } = await serve(t, (_incoming, outgoing) => outgoing.end());
  const mine = new NodeRequest("x-id", "mine");
  mine.end();
  assert.equal(await send(origin, "mine"), "ended");
  assert.equal(await send(origin, "another"), "answered");
  assert.equal(requests.filter(({ headers }) => headers["x-id"] === "mine").length, 0);
  mine.release();
});

test("nothing is looked at once it is released", async (t) => {
  const { origin } = await serve(t, (_incoming, outgoing) => outgoing.end());
  const mine = new NodeRequest("x-id", "mine");
  assert.equal(channel("http.client.request.start").hasSubscribers, true);
  mine.release();
  assert.equal(channel("http.client.request.start").hasSubscribers, false);
  mine.end();
  assert.equal(await send(origin, "mine"), "answered");
});
