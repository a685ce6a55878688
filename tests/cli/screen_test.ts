// The terminal: the status line below all other lines, colours, and a reader that is slow or gone.
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import process from "node:process";
import { test } from "node:test";
import { setImmediate } from "node:timers";
import { Screen } from "../../_cli/screen.ts";

const ERASE = "\r\x1b[2K";

interface Terminal {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** A screen, and what makes standard output fail for it alone: the runner of the tests writes there, too. */
function screenAlone(): { readonly screen: Screen; readonly fail: (error: Error) => void } {
  const others = new Set(process.stdout.listeners("error"));
  const screen = new Screen();
  const own = process.stdout.listeners("error").filter((listener) => !others.has(listener));
  for (const listener of own) process.stdout.off("error", listener as () => void);
  return {
    screen,
    fail(error) {
      for (const listener of own) listener.call(process.stdout, error);
    },
  };
}

/** Runs the body with standard error as such a terminal, and with what it writes there. */
function onTerminal(terminal: Terminal, body: (screen: Screen, written: string[]) => void): void {
  const written: string[] = [];
  const write = (text: unknown) => written.push(String(text)) > 0;
  withProperties(process.stderr, { isTTY: true, columns: 80, ...terminal, write }, () => {
    withEnvironment({ NO_COLOR: "1" }, () => body(screenAlone().screen, written));
  });
}

function withProperties(on: object, values: Readonly<Record<string, unknown>>, body: () => void) {
  const before = Object.keys(values).map((name) =>
    [name, Object.getOwnPropertyDescriptor(on, name)] as const
  );
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(on, name, { value, configurable: true, writable: true });
  }
  try {
    body();
  } finally {
    for (const [name, descriptor] of before) {
      if (descriptor === undefined) Reflect.deleteProperty(on, name);
      else Object.defineProperty(on, name, descriptor);
    }
  }
}

function withEnvironment(values: Readonly<Record<string, string>>, body: () => void) {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, values);
  try {
    body();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** A stream that takes what it is given, and has room for more or not. */
class Sink extends EventEmitter {
  readonly taken: unknown[] = [];
  room = true;

  write(what: unknown): boolean {
    this.taken.push(what);
    return this.room;
  }
}

test("the status line stays below what is written", () => {
  onTerminal({}, (screen, written) => {
    screen.show("one");
    screen.show("one");
    screen.show("two");
    assert.deepEqual(written.splice(0), [`${ERASE}one`, `${ERASE}two`]);
    screen.note("a note");
    screen.note("another");
    assert.deepEqual(written.splice(0), [ERASE, "a note\n", "another\n"]);
    screen.show("two");
    screen.show("");
    screen.show("");
    assert.deepEqual(written.splice(0), [`${ERASE}two`, ERASE]);
    const sink = new Sink();
    screen.show("three");
    void screen.write(sink as never, "output\n");
    assert.deepEqual([written.splice(1), sink.taken], [[ERASE], ["output\n"]]);
  });
});

test("it is cut to the width of the terminal, between characters", () => {
  onTerminal({ columns: 5 }, (screen, written) => {
    screen.show("🙂🙂🙂🙂🙂🙂");
    assert.deepEqual(written, [`${ERASE}🙂🙂🙂🙂`]);
  });
  onTerminal({ columns: undefined }, (screen, written) => {
    screen.show("x".repeat(100));
    assert.deepEqual(written, [ERASE + "x".repeat(79)]);
  });
});

test("it is for terminals only", () => {
  for (const isTTY of [false, undefined]) {
    onTerminal({ isTTY }, (screen, written) => {
      assert.equal(screen.live, false);
      screen.show("one");
      screen.note("a note");
      assert.deepEqual(written, ["a note\n"]);
    });
  }
});

test("it does not continue a line that a program has not ended", () => {
  onTerminal({}, (screen, written) => {
    const sink = new Sink();
    const bytes = (text: string) => new TextEncoder().encode(text);
    for (const open of ["a", "10", bytes("a\nb"), bytes("\0")]) {
      void screen.write(sink as never, open);
      screen.show("status");
      assert.deepEqual(written, [], String(open));
      for (const end of ["b\n", bytes("b\n")]) {
        void screen.write(sink as never, end);
        screen.show("status");
        assert.deepEqual(written.splice(0), [`${ERASE}status`]);
        void screen.write(sink as never, open);
        assert.deepEqual(written.splice(0), [ERASE]);
      }
    }
  });
});

test("colours are for terminals that want them", () => {
  const colors = (environment: Record<string, string>, out: boolean, error: boolean) => {
    const found: boolean[] = [];
    withProperties(process.stdout, { isTTY: out }, () => {
      withProperties(process.stderr, { isTTY: error }, () => {
        withEnvironment(environment, () => {
          const screen = screenAlone().screen;
          for (const text of [screen.color("red", "text"), screen.noteColor("red", "text")]) {
            assert.ok(text === "text" || text === "\x1b[31mtext\x1b[39m", text);
            found.push(text !== "text");
          }
        });
      });
    });
    return found;
  };
  const wanted = { NO_COLOR: "", TERM: "xterm" };
  assert.deepEqual(colors(wanted, true, true), [true, true]);
  assert.deepEqual(colors(wanted, true, false), [true, false]);
  assert.deepEqual(colors(wanted, false, true), [false, true]);
  assert.deepEqual(colors({ ...wanted, NO_COLOR: "1" }, true, true), [false, false]);
  assert.deepEqual(colors({ ...wanted, TERM: "dumb" }, true, true), [false, false]);
});

/** What has become of it by now. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  const state = promise.then(() => "done", () => "failed");
  await Promise.resolve().then(() => {}).then(() => {});
  return await Promise.race([state, Promise.resolve("under way")]);
}

test("a write waits for a slow reader", async () => {
  const [screen, sink] = [screenAlone().screen, new Sink()];
  assert.equal(await stateOf(screen.write(sink as never, "a\n")), "done");
  sink.room = false;
  const slow = screen.write(sink as never, "b\n");
  assert.equal(await stateOf(slow), "under way");
  sink.emit("drain");
  await slow;
  assert.equal(sink.listenerCount("drain"), 0);
});

test("it does not wait for a reader that has gone, and says so", { timeout: 10_000 }, async () => {
  const [{ screen, fail }, sink] = [screenAlone(), new Sink()];
  sink.room = false;
  const slow = screen.write(sink as never, "b\n");
  assert.equal(await stateOf(screen.closed), "under way");
  fail(Object.assign(new Error("gone"), { code: "EPIPE" }));
  await slow;
  await screen.closed;
});

test("another failure of standard output is one", { timeout: 10_000 }, async () => {
  const { screen, fail } = screenAlone();
  const full = Object.assign(new Error("full"), { code: "ENOSPC" });
  fail(full);
  // It is there for who looks later, and does not end the process meanwhile.
  await new Promise((resolve) => setImmediate(resolve));
  await assert.rejects(screen.closed, full);
});
