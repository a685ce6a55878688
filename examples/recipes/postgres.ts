/**
 * Watches a Postgres table, as a source of your own: it is read in pages by its key, within one snapshot, so that no
 * row is missed or seen twice. `xmin` changes with every write of a row, so nothing else is compared. It needs no
 * trigger, and no permission but `select`.
 */
import process from "node:process";
import { CollectionPoller, watchExternal } from "@koprs/external";
import postgres from "postgres";
import { startPostgres } from "./_postgres.ts";

const PAGE = 1_000;

interface Row {
  readonly id: number;
  readonly name: string;
  readonly version: string;
}

/** Watches the table `shops`. */
function shopsOf(sql: postgres.Sql): CollectionPoller<Row> {
  return new CollectionPoller<Row>({
    name: "table shops",
    key: ({ id }) => String(id),
    version: ({ version }) => version,
    async *list({ signal }) {
      const connection = await sql.reserve();
      try {
        await connection`begin isolation level repeatable read read only`;
        let last = -1;
        for (;;) {
          signal.throwIfAborted();
          const page = await connection<Row[]>`
            select id, name, xmin::text as version from shops
            where id > ${last} order by id limit ${PAGE}`;
          yield [...page];
          if (page.length < PAGE) break;
          last = page.at(-1)?.id ?? last;
        }
      } finally {
        await connection`rollback`;
        connection.release();
      }
    },
  });
}

const database = await startPostgres();
if (database === undefined) {
  console.log("Skipped, as Postgres is not installed");
  process.exit(0);
}
const sql = postgres(database.url, { max: 2 });
try {
  await sql`create table shops (id integer primary key, name text not null)`;
  await sql`insert into shops select i, 'shop ' || i from generate_series(1, 2500) i`;

  let events = 0;
  const watch = watchExternal(shopsOf(sql), {
    interval: 100,
    async onPoll({ outcome }) {
      if (outcome !== "changed") return;
      if (events > 2_500) return watch.close();
      console.log(`${events} shops`);
      await sql.begin(async (sql) => {
        await sql`update shops set name = 'new name' where id = 7`;
        await sql`delete from shops where id = 8`;
        await sql`insert into shops values (9999, 'another')`;
      });
    },
  });
  for await (const { type, item, previous } of watch) {
    if (++events <= 2_500) continue;
    console.log(`${type.padEnd(8)} ${item.id} ${previous?.name ?? "-"} -> ${item.name}`);
  }
} finally {
  await sql.end();
  await database.close();
}
