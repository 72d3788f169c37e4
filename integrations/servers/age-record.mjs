// Makes a plain record of hallpass older: its tokens were obtained, and end, SECONDS earlier than they say.
// The binary has no switch for this; a check that must not wait an hour edits the record and its checksum instead.
//
//   node age-record.mjs FILE SECONDS
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';

const [file, shift] = process.argv.slice(2);

/** The checksum of a record: a 64-bit fold over little-endian words, the last one padded with zeros. */
function checksum(bytes) {
  const mask = (1n << 64n) - 1n;
  let fold = 0x9e3779b97f4a7c15n ^ BigInt(bytes.length);
  const padded = Buffer.concat([bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);
  for (let at = 0; at < padded.length; at += 8) {
    fold = ((fold << 5n) & mask) | (fold >> 59n);
    fold = ((fold ^ padded.readBigUInt64LE(at)) * 0x517cc1b727220a95n) & mask;
  }
  return fold.toString(16).padStart(16, '0');
}

const record = readFileSync(file);
const found = /(^|\n)(hallpass-record 1 plain )([0-9a-f]{16})\n/.exec(record.toString('latin1'));
if (!found) throw new Error(`${file}: not a plain record`);
const start = found.index + found[0].length;
const before = record.subarray(start);
if (checksum(before) !== found[3]) throw new Error(`${file}: the checksum is ${found[3]}, counted ${checksum(before)}`);

const session = JSON.parse(before);
for (const token of session.tokens) {
  for (const name of ['obtained_at', 'expires_at']) {
    if (Number.isInteger(token[name])) token[name] -= Number(shift);
  }
}
const after = Buffer.from(JSON.stringify(session) + (before.at(-1) === 0x0a ? '\n' : ''));
const head = record.subarray(0, found.index + found[1].length + found[2].length);
writeFileSync(`${file}.aged`, Buffer.concat([head, Buffer.from(`${checksum(after)}\n`), after]), { mode: statSync(file).mode & 0o777 });
renameSync(`${file}.aged`, file);
