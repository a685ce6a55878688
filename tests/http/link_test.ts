// The Link header of RFC 8288: what is read, and what is refused (B2, B4).
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { nextTarget, parseLinks } from "../../_http/link.ts";
import { workOf } from "../errors/_cpu.ts";

const page = "https://example.com/items?page=1";

/** The target of the next page, as one sees it from `page`. */
function next(value: string): string | undefined {
  return nextTarget(value, page)?.href.replace("https://example.com", "");
}

const understood: [value: string, target: string | undefined][] = [
  ['</p2>; rel="next"', "/p2"],
  ["</p2>; rel=next", "/p2"],
  ["</p2>; rel='next'", "/p2"],
  ["</p2>;rel=next", "/p2"],
  ["</p2>\t; \t rel \t = \t next \t ", "/p2"],
  ['</p2>; REL="NeXT"', "/p2"],
  ['<?page=2>; rel="next"', "/items?page=2"],
  ['<https://other.example/2>; rel="next"', "https://other.example/2"],
  ["</p0>; rel=prev, </p2>; rel=next", "/p2"],
  ['</p2>; rel="first  next\tlast"', "/p2"],
  ["</p2>; rel='first next'", "/p2"],
  ["</p2>; rel=first next", "/p2"],
  // Commas, semicolons and quotes where they part nothing.
  ["</p?a=1,2;b=<3>; rel=next".replace("<3", "3"), "/p?a=1,2;b=3"],
  ['</a,b>; title="x, </no>; rel=next"; rel=prev, </p2>; rel=next', "/p2"],
  ['</p2>; title="a \\"quoted\\" \\\\"; rel="next"', "/p2"],
  ['</p2>; title="\\"; rel=prev"; rel=next', "/p2"],
  ['</p2>; rel="\\n\\e\\x\\t"', "/p2"],
  ["</p2>; title*=UTF-8''a%20b; rel=next", "/p2"],
  ["</p2>; x; rel=next", "/p2"],
  ["</p2>; x=; rel=next", "/p2"],
  ["</p2>; rel=next;", "/p2"],
  ["</p2>;; ; rel=next", "/p2"],
  [", ,, </p2>; rel=next,, ", "/p2"],
  // The first counts: of parameters with one name, and of links.
  ["</p0>; rel=prev; rel=next", undefined],
  ["</p2>; rel=next; rel=prev", "/p2"],
  ["</p2>; rel=next, </p3>; rel=next", "/p2"],
  // Other relations.
  ["</p0>; rel=prev", undefined],
  ["</p2>; rel=nextpage", undefined],
  ['</p2>; rel="https://example.com/next"', undefined],
  ["</p2>; rel=prev; rev=next", undefined],
  // A link with an anchor is about the anchor.
  ["</p2>; rel=next; anchor=/other, </p3>; rel=next", "/p3"],
  ['</p2>; rel=next; anchor="#items"', "/p2"],
  ['</p2>; rel=next; anchor=""', "/p2"],
  ["</p2>; rel=next; anchor=?page=1", "/p2"],
  ["</p2>; rel=next; anchor=?page=9", undefined],
  // Nothing at all.
  ["", undefined],
  [" \t", undefined],
  [" , ,", undefined],
  // The page itself: whoever follows it sees the loop.
  ["<>; rel=next", "/items?page=1"],
];

test("what is read", () => {
  for (const [value, target] of understood) assert.equal(next(value), target, value);
});

test("single quotes are left out in pairs", () => {
  const values = [["'a b'", "a b"], ["'open", "'open"], ["shut'", "shut'"], ["'", "'"], ["''", ""]];
  for (const [written, read] of values) {
    const [link] = parseLinks(`</p2>; title=${written}; rel=next`);
    assert.equal(link?.parameters.get("title"), read);
  }
});

const refused = [
  "/p2; rel=next",
  "</p2; rel=next",
  "</p2>",
  "</p2>; title=x",
  "</p2>; rel",
  "</p2>; rel=",
  '</p2>; rel=""',
  '</p2>; rel=" "',
  '</p2>; rel="next',
  '</p2>; rel="next\\"',
  '</p2>; rel="next\\',
  '</p2>; rel=ne"xt"',
  "</p2>; rel=next>",
  "</p2> rel=next",
  "</p2>; =next; rel=next",
  "</p2>; re l=next",
  "</p2>; rel=prev x </p3>; rel=next",
  '</p2>; "rel"=next',
  "</p2>; rel*=UTF-8''next",
  "</p2>; rel=next, garbage",
  "garbage, </p2>; rel=next",
  "</p1>; rel=prev </p2>; rel=next",
  "</p2>; title='a, b'; rel='next'",
  "<<a>; rel=next",
  "<a>>; rel=next",
  "<https://[>; rel=next",
  "</p2>; rel=next; anchor=https://[",
  "\n</p2>; rel=next",
  "[/p2]; rel=next",
];

test("what is refused", () => {
  for (const value of refused) {
    assert.throws(
      () => next(value),
      (error) => error instanceof SyntaxError || error instanceof TypeError,
      value,
    );
  }
});

test("the error does not repeat the value, which may hold a secret", () => {
  for (
    const value of ['<https://me:hunter2@x/?sig=hunter2; rel="next"', "hunter2", "<a>; hunter2 x"]
  ) {
    assert.throws(() => next(value), (error) => {
      assert(error instanceof SyntaxError);
      assert(!error.message.includes("hunter2"), error.message);
      assert.match(error.message, /^.+ is missing at character \d+$/);
      return true;
    });
  }
});

test("whatever is written by the rules reads back", () => {
  const token = fc.stringMatching(/^[a-z][a-z0-9*.-]{0,5}$/);
  const blanks = fc.constantFrom("", " ", "\t", "  ");
  const value = fc.oneof(
    token.map((text) => ({ text, as: text })),
    fc.string().filter((text) => !/["\\]/.test(text)).map((text) => ({ text, as: `"${text}"` })),
    fc.string().map((text) => ({ text, as: `"${text.replace(/["\\]/g, "\\$&")}"` })),
    fc.string().map((text) => ({ text, as: `"${text.replace(/[^]/g, "\\$&")}"` })),
  );
  const parameter = fc.record({
    name: token,
    value,
    blanks: fc.array(blanks, { minLength: 4, maxLength: 4 }),
  });
  const link = fc.record({
    target: fc.string().map((text) => text.replace(/[<>]/g, ",")),
    parameters: fc.array(parameter, { maxLength: 4 }),
    separator: fc.constantFrom(",", ", ", " ,\t", ",, ,"),
  });
  fc.assert(fc.property(fc.array(link, { maxLength: 5 }), (links) => {
    const text = links.map(({ target, parameters, separator }) =>
      `<${target}>` + parameters.map(({ name, value, blanks: [a, b, c, d] }) =>
        `${a};${b}${name}${c}=${d}${value.as}`
      ).join("") + separator
    ).join("");
    const read = parseLinks(text).map(({ target, parameters }) => ({
      target,
      parameters: [...parameters],
    }));
    const written = links.map(({ target, parameters }) => ({
      target,
      parameters: [
        ...new Map(parameters.toReversed().map(({ name, value }) => [name, value.text])).entries(),
      ],
    }));
    assert.equal(read.length, written.length);
    for (const [i, { target, parameters }] of read.entries()) {
      assert.equal(target, written[i]!.target);
      assert.deepEqual(new Map(parameters), new Map(written[i]!.parameters));
    }
  }));
});

test("any text is read or refused, in time linear in its length", { timeout: 20_000 }, () => {
  const pieces = fc.constantFrom(
    "<",
    ">",
    ";",
    ",",
    '"',
    "\\",
    "=",
    "'",
    " ",
    "rel",
    "next",
    "a",
    "\t",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (some) => {
      for (const times of [1, 20_000]) {
        try {
          nextTarget(some.join("").repeat(times), page);
        } catch (error) {
          assert(error instanceof SyntaxError || error instanceof TypeError, String(error));
        }
      }
    }),
    { numRuns: 150 },
  );
  const million = 1_000_000;
  for (
    const text of [
      "<".repeat(million),
      "<a>" + " ".repeat(million),
      "<a>;" + " ".repeat(million) + "rel" + " ".repeat(million) + "=next",
      "<a>;" + ";".repeat(million),
      ",".repeat(million),
      '<a>; rel="' + "\\a".repeat(million),
      '<a>; rel="' + "\\".repeat(million),
      "<a>; rel='" + "' ".repeat(million),
      "<a>; rel=" + "a".repeat(million),
      '<a>; rel="' + " a".repeat(million) + '"',
      `<a>; ${"a=b; ".repeat(million / 10)}rel=next`,
      "<a>; rel=a,".repeat(million / 10),
    ]
  ) {
    const time = workOf(() => {
      try {
        nextTarget(text, page);
      } catch (error) {
        assert(error instanceof SyntaxError, String(error));
      }
    });
    assert(time < 2_000, `${text.slice(0, 20)}… of ${text.length} characters: ${time} ms`);
  }
});
