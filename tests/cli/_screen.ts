// A screen that keeps what it is to show. Colours are written as `<red>text</>`, those of standard error as `<!red>`.
import type { Screen } from "../../_cli/screen.ts";

export interface Recording {
  readonly screen: Screen;
  /** What went to standard output, line by line. */
  readonly printed: string[];
  /** What went to standard error, line by line. */
  readonly noted: string[];
  /** The output of programs, each with its stream. */
  readonly written: [stream: unknown, text: string][];
}

export function recordingScreen(): Recording {
  const [printed, noted, written]: [string[], string[], Recording["written"]] = [[], [], []];
  const screen: Pick<Screen, "print" | "note" | "write" | "color" | "noteColor"> = {
    print(text) {
      printed.push(text);
      return Promise.resolve();
    },
    note(text) {
      noted.push(text);
    },
    write(stream, text) {
      written.push([stream, typeof text === "string" ? text : new TextDecoder().decode(text)]);
      return Promise.resolve();
    },
    color: (color, text) => `<${color}>${text}</>`,
    noteColor: (color, text) => `<!${color}>${text}</>`,
  };
  return { screen: screen as Screen, printed, noted, written };
}
