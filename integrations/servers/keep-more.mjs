// Fills a data folder as if a tool had brought passwords for many places: the files of https://p1.example.com, which
// hallpass itself has kept unsealed, once more for p2 to pCOUNT. Hallpass waits for the disk each time, and would take an
// hour for a hundred thousand.
//
//   node keep-more.mjs FOLDER COUNT
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { around, parts } from './record.mjs';

const [folder, count] = process.argv.slice(2);
const origin = (number) => `https://p${number}.example.com:443`;
const file = (number) => join(folder, `+${createHash('sha256').update(origin(number)).digest('hex').slice(0, 32)}`);

const { head, body } = parts(readFileSync(file(1)), file(1));
if (!body.includes(origin(1))) throw new Error(`${file(1)}: not of ${origin(1)}`);
const beside = ['.lock', '.seen'].map((end) => [end, readFileSync(file(1) + end)]);
for (let number = 2; number <= count; number += 1) {
  const own = Buffer.from(body.toString().replace(origin(1), origin(number)));
  writeFileSync(file(number), around(head, own), { mode: 0o600 });
  for (const [end, bytes] of beside) writeFileSync(file(number) + end, bytes, { mode: 0o600 });
}
