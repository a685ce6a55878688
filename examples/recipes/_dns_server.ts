/** A small name server for the demonstration: it knows the A records of one name. */
import { createSocket } from "node:dgram";

export interface NameServer {
  readonly address: string;
  close(): Promise<void>;
}

/** Answers every query with what `addresses` returns. An empty list means that the name does not exist. */
export async function serveNames(addresses: () => readonly string[]): Promise<NameServer> {
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address }) => {
    // The question: the name, as labels that end with an empty one, then type and class.
    let end = 12;
    while (query[end]) end += (query[end] ?? 0) + 1;
    const question = query.subarray(12, end + 5);
    const isA = query[end + 2] === 1;
    const found = addresses();
    const records = isA ? found : [];
    const header = new Uint8Array([
      ...query.subarray(0, 2),
      ...[0x81, found.length > 0 ? 0x80 : 0x83], // an answer; NXDOMAIN if there is none
      ...[0, 1, 0, records.length, 0, 0, 0, 0],
    ]);
    const answers = records.map((record) => // The name of the question, A, IN, for 0 s, 4 bytes.
    [0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...record.split(".").map(Number)]);
    socket.send(new Uint8Array([...header, ...question, ...answers.flat()]), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${socket.address().port}`,
    close: () => new Promise((resolve) => void socket.close(() => resolve())),
  };
}
