/** Standard output and standard error: lines, and below them on a terminal one line about how things are. */
import process from "node:process";
import { styleText } from "node:util";

type Color = Parameters<typeof styleText>[0];
type Stream = typeof process.stdout | typeof process.stderr;

const ERASE = "\r\x1b[2K";

export class Screen {
  /** Settles when nobody reads standard output any more, as behind `head`. */
  readonly closed: Promise<void>;
  #status = "";
  /** Whether the last thing written, by a program, did not end its line. */
  #open = false;

  constructor() {
    this.closed = new Promise((resolve, reject) => {
      process.stdout.on("error", (error: Error & { code?: string }) => {
        if (error.code === "EPIPE") resolve();
        else reject(error);
      });
    });
    // Who looks at it does so by 'closed'.
    this.closed.catch(() => {});
  }

  /** Whether a line about how things are can be shown. */
  get live(): boolean {
    return process.stderr.isTTY === true;
  }

  /** Characters in a line of the terminal. */
  get width(): number {
    return process.stderr.columns || 80;
  }

  /** Writes to standard output. Resolves when there is room for more. */
  print(text: string): Promise<void> {
    return this.write(process.stdout, `${text}\n`);
  }

  /** Writes a line to standard error. */
  note(text: string): void {
    void this.write(process.stderr, `${text}\n`);
  }

  /** Writes what a program wrote. */
  async write(stream: Stream, text: string | Uint8Array): Promise<void> {
    this.#erase();
    this.#open = !/^(?:\n|10)$/.test(String(text.at(-1)));
    if (!stream.write(text)) {
      await Promise.race([
        new Promise<void>((resolve) => stream.once("drain", resolve)),
        this.closed,
      ]);
    }
  }

  /** Shows one line below all others, cut to the width; an empty one for none. */
  show(status: string): void {
    if (!this.live || this.#open || status === this.#status) return;
    const text = [...status].slice(0, this.width - 1).join("");
    process.stderr.write(ERASE + styled(process.stderr, "dim", text));
    this.#status = status;
  }

  /** The text in a colour, where standard output is a terminal and colours are wanted. */
  color(color: Color, text: string): string {
    return styled(process.stdout, color, text);
  }

  /** The same for standard error. */
  noteColor(color: Color, text: string): string {
    return styled(process.stderr, color, text);
  }

  #erase(): void {
    if (this.#status === "") return;
    process.stderr.write(ERASE);
    this.#status = "";
  }
}

function styled(stream: Stream, color: Color, text: string): string {
  const wanted = stream.isTTY === true && !process.env.NO_COLOR &&
    process.env.TERM !== "dumb";
  return wanted ? styleText(color, text, { validateStream: false }) : text;
}
