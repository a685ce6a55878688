/** Standard output and standard error, and on a terminal a status line below all other lines. */
import process from "node:process";
import { styleText } from "node:util";

type Color = Parameters<typeof styleText>[0];
type Stream = typeof process.stdout | typeof process.stderr;

const ERASE = "\r\x1b[2K";

export class Screen {
  /** Settles when nobody reads standard output any more, such as after `| head` has ended. */
  readonly closed: Promise<void>;
  #status = "";
  /** Whether the last output, of a program, did not end its line. */
  #open = false;

  constructor() {
    this.closed = new Promise((resolve, reject) => {
      process.stdout.on("error", (error: Error & { code?: string }) => {
        if (error.code === "EPIPE") resolve();
        else reject(error);
      });
    });
    // Prevents an unhandled rejection: callers see the failure through 'closed'.
    this.closed.catch(() => {});
  }

  /** Whether a status line can be shown. */
  get live(): boolean {
    return process.stderr.isTTY === true;
  }

  /** The width of the terminal, in characters. */
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

  /** Writes text, or output of a program. Resolves when there is room for more. */
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

  /** Shows the status line, cut to the width of the terminal; an empty text removes it. */
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
