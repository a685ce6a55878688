/** The help text, and the error for a command line that is not understood. */

/** A command line that is not understood. Shown as one line, with exit code 2. */
export class UsageError extends Error {}

export const HELP = `Watches URLs, buckets and folders, and prints what changes.

  koprs-external TARGET … [OPTIONS]

Targets
  https://host/config             an HTTP resource; http:// as well
  s3://bucket/prefix              S3; AWS_REGION, AWS_ACCESS_KEY_ID …, ~/.aws
  gs://bucket/prefix              GOOGLE_APPLICATION_CREDENTIALS
  az://account/container/prefix   AZURE_STORAGE_KEY or …_CONNECTION_STRING
  dav+https://host/folder         WebDAV
  ./folder                        a local folder

Options
  -i, --interval 30s   from one good poll to the next: 500ms, 5s or 5, 2m, 1h
  --once               one poll each, then end: exit code 1 if one failed
  --json               JSON lines: events on standard output, else on stderr
  --filter GLOB        only keys like '*.csv' in any folder, 'in/**/*.csv'
  --diff               show what changed within text and JSON of up to 1 MiB
  --download DIR       keep copies of the contents; delete those that are gone
  --exec 'CMD {key}'   run it for each event, and retry until it exits with 0;
                       also {type} {source} {size} {etag} {file}; KOPRS_KEY …
  --concurrency N      events handled at once, never two of one key; default: 1
  --checkpoint DIR     keep the state: a restart tells what changed meanwhile
  --sources FILE       JSON: [{"target": "s3://…", "interval": "5s", "headers":
                       {…}}, …]; followed while it changes
  --metrics :9090      serve /metrics to Prometheus
  --header 'K: V'      sent to HTTP and WebDAV targets; may be repeated
  --token-file FILE    its content is the bearer token; read for each request
  --endpoint URL       of a service that is not the cloud's own
  --wait               keep running even if an error will not pass by itself
  --help, --version    this text; the version
`;

/** The name that was probably meant, or undefined if none is close enough. */
export function suggest(
  typed: string,
  names: readonly string[],
): string | undefined {
  const ranked = names
    .map((name) => ({
      name,
      distance: name.startsWith(typed) ? 0 : distance(typed, name),
    }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best !== undefined && best.distance <= Math.max(1, typed.length / 3)
    ? best.name
    : undefined;
}

/** How many letters to add, drop or replace to get from one word to the other. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1;
      next.push(
        Math.min(
          (row[j] ?? 0) + 1,
          (next[j - 1] ?? 0) + 1,
          (row[j - 1] ?? 0) + same,
        ),
      );
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
