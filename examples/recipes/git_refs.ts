/**
 * Watches the branches and tags of a git remote, as a source of your own: `git ls-remote` lists all of them at once,
 * with the credentials that git has. Here the remote is a folder, so that nothing else is needed.
 */
import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { CollectionPoller, watchExternal } from "@koprs/external";

const run = promisify(execFile);

interface Ref {
  readonly name: string;
  readonly commit: string;
}

/** Watches the refs of a remote, such as `https://github.com/denoland/deno.git`. */
function refsOf(remote: string): CollectionPoller<Ref> {
  return new CollectionPoller<Ref>({
    name: `refs of ${remote}`, // Use another name if the URL has a password: names are logged.
    key: ({ name }) => name,
    async *list({ signal }) {
      // Rejects if the remote does not answer: then the poll fails, and nothing is reported as removed.
      const { stdout } = await run("git", ["ls-remote", "--heads", "--tags", "--", remote], {
        signal,
        env: { ...process.env, GIT_TERMINAL_PROMPT: "0" },
        maxBuffer: 64 * 1024 * 1024,
      });
      yield stdout.split("\n").filter(Boolean).map((line) => {
        const [commit = "", name = ""] = line.split("\t");
        return { name, commit };
      });
    },
  });
}

if (spawnSync("git", ["--version"]).status !== 0) {
  console.log("Skipped, as git is not installed");
  process.exit(0);
}

const folder = await mkdtemp(join(tmpdir(), "koprs-external-git-"));
try {
  const remote = join(folder, "remote.git");
  const clone = join(folder, "clone");
  const git = (...args: string[]) => {
    const author = ["-c", "user.name=Example", "-c", "user.email=example@example.com"];
    return run("git", [...author, "-C", clone, ...args]);
  };
  await run("git", ["init", "--quiet", "--bare", remote]);
  await run("git", ["clone", "--quiet", remote, clone]);
  await git("commit", "--quiet", "--allow-empty", "--message", "First");
  await git("push", "--quiet", "origin", "HEAD:refs/heads/main");

  const steps = [
    () => git("push", "--quiet", "origin", "HEAD:refs/heads/feature"),
    async () => {
      await git("commit", "--quiet", "--allow-empty", "--message", "Second");
      await git("push", "--quiet", "origin", "HEAD:refs/heads/main");
    },
    () => git("push", "--quiet", "origin", "--delete", "feature"),
  ];
  for await (const { type, item, previous } of watchExternal(refsOf(remote), 100)) {
    const from = previous === undefined ? "" : `, was ${previous.commit.slice(0, 8)}`;
    console.log(`${type.padEnd(8)} ${item.name} ${item.commit.slice(0, 8)}${from}`);
    const next = steps.shift();
    if (next === undefined) break;
    await next();
  }
} finally {
  await rm(folder, { recursive: true });
}
