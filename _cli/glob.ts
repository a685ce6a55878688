/** Patterns for keys, as shells and ignore files write them. */
import { UsageError } from "./usage.ts";

/**
 * Compiles a pattern to a function that tells whether a key matches. `*` and `?` stop at a slash,
 * `**` does not; `[a-z]`, `[!a-z]` and `{a,b}` are supported, and a backslash makes the next
 * character literal. A pattern without a slash is compared with the last part of the key.
 */
export function compileGlob(pattern: string): (key: string) => boolean {
  let source = "";
  let depth = 0;
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern.charAt(at);
    switch (character) {
      case "*":
        if (pattern.charAt(at + 1) !== "*") source += "[^/]*";
        else if (pattern.charAt(at + 2) === "/") {
          source += "(?:.*/)?"; // matches no folder at all, too
          at += 2;
        } else {
          source += ".*";
          at++;
        }
        break;
      case "?":
        source += "[^/]";
        break;
      case "[": {
        const [found, not = "", set = ""] = /^\[([!^]?)(\]?[^\]]*)\]/.exec(pattern.slice(at)) ?? [];
        if (found === undefined) throw unclosed(pattern, "[");
        source += `[${not === "" ? "" : "^"}${set.replace(/[\\\]\[^&|~]/g, "\\$&")}]`;
        at += found.length - 1;
        break;
      }
      case "{":
        depth++;
        source += "(?:";
        break;
      case "}":
        source += depth > 0 ? ")" : "\\}";
        depth = Math.max(0, depth - 1);
        break;
      case ",":
        source += depth > 0 ? "|" : ",";
        break;
      case "\\":
        source += escape(pattern.charAt(++at));
        break;
      default:
        source += escape(character);
    }
  }
  if (depth > 0) throw unclosed(pattern, "{");
  const expression = compile(source, pattern);
  return pattern.includes("/")
    ? (key) => expression.test(key)
    : (key) => expression.test(key.slice(key.lastIndexOf("/") + 1));
}

function compile(source: string, pattern: string): RegExp {
  try {
    return new RegExp(`^${source}$`, "s");
  } catch {
    throw new UsageError(
      `Cannot read the filter '${pattern}': a range in it is the wrong way round`,
    );
  }
}

function escape(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|\/]/g, "\\$&");
}

function unclosed(pattern: string, bracket: string): UsageError {
  return new UsageError(
    `Cannot read the filter '${pattern}': a '${bracket}' in it is not closed`,
  );
}
