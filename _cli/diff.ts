/** Finds what changed within a text, or within JSON. */

/** The most lines that are shown. */
const LONGEST = 40;
/** Above this many pairs of lines, the difference is shown as one block. */
const MOST_PAIRS = 4_000_000;

/**
 * The lines to show: `+ new`, `- old`, and for JSON the paths of what changed. Undefined if one of
 * the contents is not text.
 */
export function difference(
  old: Uint8Array,
  now: Uint8Array,
): string[] | undefined {
  const [before, after] = [textOf(old), textOf(now)];
  if (before === undefined || after === undefined) return undefined;
  const [left, right] = [jsonOf(before), jsonOf(after)];
  const lines = left !== undefined && right !== undefined
    ? diffJson(left.value, right.value)
    : diffLines(before.split(/\r?\n/), after.split(/\r?\n/));
  const more = lines.length - LONGEST;
  return more > 1 ? [...lines.slice(0, LONGEST), `… ${more} more`] : lines;
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined; // not a text
  }
}

function jsonOf(text: string): { readonly value: unknown } | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined; // a text all the same
  }
}

function diffJson(old: unknown, now: unknown): string[] {
  const lines: string[] = [];
  // An explicit stack, as JSON may be nested deeper than function calls can be.
  const open: [string, unknown, unknown][] = [["", old, now]];
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [path, left, right] = pair;
    if (
      !isContainer(left) || !isContainer(right) ||
      Array.isArray(left) !== Array.isArray(right)
    ) {
      if (!Object.is(left, right)) {
        lines.push(...replaced(path || ".", left, right));
      }
      continue;
    }
    const names = [...new Set([...Object.keys(left), ...Object.keys(right)])];
    for (const name of names.reverse()) {
      const step = Array.isArray(left) ? `[${name}]` : nameStep(name);
      open.push([path + step, own(left, name), own(right, name)]);
    }
  }
  return lines;
}

type Container = Record<string, unknown>;

function isContainer(value: unknown): value is Container {
  return typeof value === "object" && value !== null;
}

function own(value: Container, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

function nameStep(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

function replaced(path: string, left: unknown, right: unknown): string[] {
  return [
    ...(left === undefined ? [] : [`- ${path}: ${JSON.stringify(left)}`]),
    ...(right === undefined ? [] : [`+ ${path}: ${JSON.stringify(right)}`]),
  ];
}

function diffLines(old: readonly string[], now: readonly string[]): string[] {
  let start = 0;
  while (
    start < old.length && start < now.length && old[start] === now[start]
  ) start++;
  let end = 0;
  const shorter = Math.min(old.length, now.length) - start;
  while (
    end < shorter && old[old.length - 1 - end] === now[now.length - 1 - end]
  ) end++;
  const left = old.slice(start, old.length - end);
  const right = now.slice(start, now.length - end);
  if (left.length * right.length > MOST_PAIRS) {
    return [
      ...left.map((line) => `- ${line}`),
      ...right.map((line) => `+ ${line}`),
    ];
  }
  return walk(left, right);
}

/** The shortest list of changes, by the longest common subsequence of the lines that follow each pair of places. */
function walk(left: readonly string[], right: readonly string[]): string[] {
  const width = right.length + 1;
  const common = new Uint32Array((left.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      common[i * width + j] = left[i] === right[j]
        ? at(i + 1, j + 1) + 1
        : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      [i, j] = [i + 1, j + 1];
    } else if (
      j >= right.length || (i < left.length && at(i + 1, j) >= at(i, j + 1))
    ) {
      lines.push(`- ${left[i++]}`);
    } else lines.push(`+ ${right[j++]}`);
  }
  return lines;
}
