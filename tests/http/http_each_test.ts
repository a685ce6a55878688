// HttpPoller: an event that is acknowledged by itself, as handlers do, and what a poll says of it meanwhile.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpPoller, type HttpPollerOptions, type HttpResource } from "@koprs/external/http";
import type { ExternalEvent } from "@koprs/external/watcher";

const { signal } = new AbortController();
const ADDRESS = "http://config.test:8080/a";

/** A resource that answers conditions, and a poller whose events are acknowledged one by one. */
class Acknowledged {
  /** The content; none if it is gone. */
  body: string | undefined = "one";
  /** The condition of each request. */
  readonly conditions: (string | null)[] = [];
  readonly poller: HttpPoller;

  constructor(options: HttpPollerOptions = {}) {
    this.poller = new HttpPoller(ADDRESS, { ...options, fetch: this.#fetch });
  }

  #fetch: typeof fetch = (_, init) => {
    const condition = new Headers(init?.headers).get("if-none-match");
    this.conditions.push(condition);
    const { body } = this;
    if (body === undefined) return Promise.resolve(new Response(null, { status: 404 }));
    const headers = { etag: `"${body}"` };
    const same = condition === headers.etag;
    return Promise.resolve(new Response(same ? null : body, { status: same ? 304 : 200, headers }));
  };

  /** What the next poll hands out. */
  async poll(): Promise<string> {
    return shown([...await this.poller.poll({ signal, each: true })]);
  }

  handled(): void {
    this.poller.acknowledgement.handled(this.poller.name);
  }

  setAside(): void {
    this.poller.acknowledgement.setAside(this.poller.name);
  }

  again(): string {
    const event = this.poller.acknowledgement.again(this.poller.name);
    return shown(event === undefined ? [] : [event]);
  }

  current(): string | undefined {
    return this.poller.current?.text();
  }

  aside(): string[] {
    return [...this.poller.acknowledgement.asideKeys()];
  }

  /** Another poller with the saved state. */
  restarted(options: HttpPollerOptions = {}): Acknowledged {
    const next = new Acknowledged(options);
    next.body = this.body;
    next.poller.restore(this.poller.save());
    return next;
  }
}

/** Types and contents, as in `modified two, before one`. */
function shown(events: readonly ExternalEvent<HttpResource<undefined>>[]): string {
  return events.map(({ type, item, previous }) => {
    const before = previous === undefined ? "" : `, before ${previous.text()}`;
    return `${type} ${type === "removed" ? item.etag : item.text()}${before}`;
  }).join("; ");
}

test("the key of an event is the name of its source", async () => {
  const { poller } = new Acknowledged({ name: "the config" });
  const [event] = [...await poller.poll({ signal, each: true })];
  assert.equal(poller.acknowledgement.keyOf(event!), "the config");
  assert.equal(poller.host, "config.test:8080");
});

test("what was handed out is in doubt until it was handled", async () => {
  const source = new Acknowledged({ remember: "body" });
  assert.equal(await source.poll(), "added one");
  assert.deepEqual(source.aside(), []);
  assert.equal(source.current(), undefined);
  assert.equal(await source.restarted().poll(), "added one");
  assert.equal(await source.poll(), "added one", "no word of it: once more");
  assert.deepEqual(source.conditions, [null, null]);
  source.handled();
  assert.equal(source.current(), "one");
  assert.equal(await source.poll(), "");
  assert.deepEqual(source.conditions, [null, null, '"one"']);
  assert.equal(await source.restarted().poll(), "");
  source.body = "two";
  assert.equal(await source.poll(), "modified two, before one");
  assert.equal(source.current(), "one");
  source.body = "one";
  assert.equal(await source.poll(), "modified one, before one", "'two' may be what is known");
  source.handled();
  assert.equal(await source.poll(), "");
});

test("a removal is in doubt until it was handled, too", async () => {
  const source = new Acknowledged();
  await source.poll();
  source.handled();
  source.body = undefined;
  assert.equal(await source.poll(), 'removed "one"');
  assert.equal(source.current(), "one");
  assert.equal(await source.restarted().poll(), 'removed "one"');
  assert.equal(await source.poll(), 'removed "one"');
  source.handled();
  assert.equal(source.current(), undefined);
  assert.equal(await source.poll(), "");
  assert.equal(await source.restarted().poll(), "");
  source.body = "one";
  assert.equal(await source.poll(), "added one");
});

test("what was set aside is not in polls, and is handed out again in its newest state", async () => {
  const source = new Acknowledged();
  await source.poll();
  source.setAside();
  assert.deepEqual(source.aside(), [ADDRESS]);
  assert.equal(await source.poll(), "");
  assert.deepEqual(source.conditions, [null, '"one"'], "nothing newer: it need not be read again");
  assert.deepEqual(source.aside(), [ADDRESS]);
  source.body = "two";
  assert.equal(await source.poll(), "");
  assert.equal(await source.poll(), "");
  assert.equal(source.conditions.at(-1), '"two"');
  assert.equal(source.again(), "added two");
  assert.deepEqual(source.aside(), [], "it is being handled");
  assert.equal(source.again(), "", "by one at a time");
  source.handled();
  assert.equal(await source.poll(), "");
  assert.equal(source.current(), "two");
  assert.equal(source.again(), "");
});

test("a resource that goes while it is set aside is handed out as removed", async () => {
  const source = new Acknowledged();
  await source.poll();
  source.setAside();
  source.body = undefined;
  assert.equal(await source.poll(), "");
  assert.equal(await source.restarted().poll(), 'removed "one"', "it may be known");
  assert.equal(await source.poll(), "");
  assert.equal(source.again(), 'removed "one"');
  source.setAside();
  source.body = "two";
  assert.equal(await source.poll(), "");
  assert.equal(source.conditions.at(-1), null, "whatever is there is new");
  assert.equal(source.again(), "added two");
  source.handled();
  assert.equal(await source.poll(), "");
});

test("a change that is set aside is still one from what was handled last", async () => {
  const source = new Acknowledged({ remember: "body" });
  await source.poll();
  source.handled();
  source.body = "two";
  await source.poll();
  source.setAside();
  assert.equal(await source.poll(), "");
  assert.equal(source.conditions.at(-1), '"two"');
  const back = source.restarted({ remember: "body" });
  back.body = "one";
  assert.equal(await back.poll(), "modified one, before one", "'two' may be what is known");
  source.body = "three";
  assert.equal(await source.poll(), "");
  const next = source.restarted({ remember: "body" });
  assert.equal(await next.poll(), "modified three, before one");
  assert.equal(source.again(), "modified three, before one");
  source.body = "one";
  source.setAside();
  assert.equal(await source.poll(), "");
  assert.equal(source.again(), "modified one, before one", "'three' may be what is known");
});

test("what is set aside is not handled, whoever says so", async () => {
  const source = new Acknowledged();
  source.handled();
  source.setAside();
  assert.equal(source.again(), "");
  assert.deepEqual(source.aside(), []);
  await source.poll();
  source.setAside();
  source.handled();
  assert.equal(source.current(), undefined);
  assert.deepEqual(source.aside(), [ADDRESS]);
  assert.equal(source.again(), "added one");
});

test("a poll whose events are not acknowledged one by one hands out what was set aside", async () => {
  const source = new Acknowledged();
  await source.poll();
  source.setAside();
  const events = [...await source.poller.poll({ signal })];
  assert.equal(shown(events), "added one");
  assert.deepEqual(source.aside(), []);
  assert.equal(await source.poll(), "");
});

test("of two polls, the event of the older one is not handed out any more", async () => {
  const source = new Acknowledged();
  const older = await source.poller.poll({ signal, each: true });
  source.body = "two";
  assert.equal(await source.poll(), "added two");
  assert.equal(shown([...older]), "");
  source.handled();
  assert.equal(await source.poll(), "");
});

test("a restored state forgets what was set aside before", async () => {
  const source = new Acknowledged();
  const state = source.poller.save();
  await source.poll();
  source.setAside();
  source.poller.restore(state);
  assert.deepEqual(source.aside(), []);
  assert.equal(await source.poll(), "added one");
});

test("a source that is withdrawn is gone, if it was known", async () => {
  const source = new Acknowledged();
  const withdrawn = (each?: true) => [...source.poller.withdraw({ signal, ...(each && { each }) })];
  assert.deepEqual(withdrawn(), []);
  await source.poll();
  source.handled();
  const [event, ...more] = withdrawn();
  assert.equal(event?.type, "removed");
  assert.equal(event.item.url, ADDRESS);
  assert.equal(event.item.status, 410);
  assert.equal(event.item.etag, '"one"');
  assert.equal(event.item.text(), "");
  assert.deepEqual(more, []);
  assert.deepEqual(withdrawn(), [], "once");
  assert.equal(source.conditions.length, 1, "without a request");
});

test("a withdrawal is acknowledged as any event", async () => {
  const source = new Acknowledged();
  const withdrawn = () => shown([...source.poller.withdraw({ signal, each: true })]);
  await source.poll();
  assert.equal(withdrawn(), 'removed "one"', "it may be known");
  assert.equal(withdrawn(), 'removed "one"', "no word of it: once more");
  source.setAside();
  assert.equal(withdrawn(), "");
  assert.equal(source.again(), 'removed "one"');
  source.handled();
  assert.equal(withdrawn(), "");
  await source.poll();
  source.setAside();
  assert.equal(shown([...source.poller.withdraw({ signal })]), 'removed "one"');
  assert.deepEqual(source.aside(), []);
  assert.equal(withdrawn(), "");
});
