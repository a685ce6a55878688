/** Sources that break one rule each, and the tests that must tell. */
import { type ObjectMeta, ObjectStorePoller } from "@koprs/external/store";
import type { SourceFixture } from "@koprs/external/testing";
import type { ExternalSource, PollOptions } from "@koprs/external/watcher";
import { type Broken, FaultyStore } from "./_faulty_store.ts";

const HISTORY = "replay equals reality over a random history";

interface Hooks {
  readonly store: FaultyStore;
  readonly poller: ObjectStorePoller;
}

function brokenSource(
  name: string,
  fails: readonly string[],
  make: (hooks: Hooks) => Partial<ExternalSource<ObjectMeta>>,
): Broken<SourceFixture<ObjectMeta>> {
  const setUp = (): Promise<SourceFixture<ObjectMeta>> => {
    const store = new FaultyStore();
    let version = 0;
    const put = (key: string) => store.inner.put(key, `${version++}`);
    const fresh = (): ExternalSource<ObjectMeta> => {
      const poller = new ObjectStorePoller(store);
      return {
        name: poller.name,
        poll: (options) => poller.poll(options),
        save: () => poller.save(),
        restore: (state) => poller.restore(state),
        ...make({ store, poller }),
      };
    };
    return Promise.resolve({
      source: fresh(),
      fresh,
      key: (object) => object.key,
      add: put,
      modify: put,
      remove: (key) => store.inner.delete(key),
      fail: () => store.fault = 1,
      leavesSignals: true,
    });
  };
  return { name, fails, setUp };
}

const NOTHING = "nothing there is no event";
const FIRST = "the first poll adds everything, the next nothing";
const MODIFIED = "what changed is modified, once";
const REMOVED = "what is gone is removed, once, and added if it comes back";
const UNREAD = "a poll whose events were not read is forgotten";
const PART = "a poll whose events were read in part is forgotten";
const FAILED = "a failed poll forgets nothing";
const POLL_ABORTED = "a poll with an aborted signal rejects";
const SIGNALS = "nothing leaves a listener on its signal";
const POLL_ABORT = "an abort during a poll ends it and loses nothing";
const RESTORED = "state saved by one source goes on in another";
const MIDDLE = "state saved in the middle of a delivery loses nothing";
const CUT = "state that was cut off or is none is refused";

export const brokenSources: readonly Broken<SourceFixture<ObjectMeta>>[] = [
  brokenSource("nothing", [], () => ({})),
  brokenSource("no state, which is allowed", [], () => ({ save: undefined, restore: undefined })),
  brokenSource(
    "has no name",
    ["the name is a non-empty string without user info"],
    () => ({ name: "" }),
  ),
  brokenSource("commits before anyone reads", [UNREAD, PART, HISTORY, MIDDLE], ({ poller }) => ({
    poll: async (options) => [...await poller.poll(options)],
  })),
  brokenSource("forgets everything when it fails", [FAILED], ({ store, poller }) => {
    let current = poller;
    return {
      poll: (options) =>
        current.poll(options).catch((error) => {
          if (!options.signal.aborted) current = new ObjectStorePoller(store);
          throw error;
        }),
      save: () => current.save(),
      restore: (state) => current.restore(state),
    };
  }),
  brokenSource("takes a failure for an empty list", [FAILED], ({ store, poller }) => ({
    async poll(options) {
      try {
        return await poller.poll(options);
      } catch (error) {
        if (options.signal.aborted) throw error;
        const { list } = store;
        store.list = async function* () {};
        try {
          return await poller.poll(options);
        } finally {
          store.list = list;
        }
      }
    },
  })),
  brokenSource("ignores the signal", [POLL_ABORTED], ({ poller }) => ({
    poll: () => poller.poll({ signal: new AbortController().signal }),
  })),
  brokenSource(
    "another error than the reason, which is allowed",
    [],
    ({ poller }) => ({
      poll: (options) =>
        poller.poll(options).catch((error) => {
          throw options.signal.aborted ? new Error("stopped") : error;
        }),
    }),
  ),
  brokenSource("listens for ever", [SIGNALS], ({ poller }) => ({
    poll: (options) => {
      options.signal.addEventListener("abort", () => {});
      return poller.poll(options);
    },
  })),
  brokenSource("hangs when aborted", [POLL_ABORTED, POLL_ABORT], ({ poller }) => ({
    async poll(options: PollOptions) {
      const events = await poller.poll({ signal: new AbortController().signal });
      if (options.signal.aborted) await new Promise(() => {});
      return events;
    },
  })),
  brokenSource("cannot begin with nothing", [NOTHING, HISTORY, RESTORED], ({ store, poller }) => {
    let begun = false;
    return {
      async poll(options) {
        const objects = (await Array.fromAsync(store.inner.list())).flat();
        begun ||= objects.length > 0;
        if (!begun) throw new Error("nothing there");
        return poller.poll(options);
      },
    };
  }),
  brokenSource("reports everything each time", [
    FIRST,
    MODIFIED,
    REMOVED,
    UNREAD,
    PART,
    FAILED,
    HISTORY,
    RESTORED,
  ], ({ store }) => ({
    poll: (options) => new ObjectStorePoller(store).poll(options),
  })),
  brokenSource(
    "never reports a removal",
    [REMOVED, UNREAD, FAILED, HISTORY, RESTORED],
    ({ poller }) => ({
      async poll(options) {
        const events = await poller.poll(options);
        return (function* () {
          for (const event of events) if (event.type !== "removed") yield event;
        })();
      },
    }),
  ),
  brokenSource("says added for modified", [MODIFIED, UNREAD, HISTORY, RESTORED], ({ poller }) => ({
    async poll(options) {
      const events = await poller.poll(options);
      return (function* () {
        for (const event of events) {
          yield event.type === "modified" ? { type: "added", item: event.item } as const : event;
        }
      })();
    },
  })),
  brokenSource("saves nothing", [RESTORED], ({ store }) => ({
    save: () => new ObjectStorePoller(store).save(),
  })),
  brokenSource("restores nothing", [RESTORED], ({ store }) => ({
    restore: (state) => new ObjectStorePoller(store).restore(state),
  })),
  brokenSource("begins anew with damaged state", [CUT], ({ poller }) => ({
    restore: (state) => {
      try {
        poller.restore(state);
      } catch {
        // That is what is wrong.
      }
    },
  })),
];
