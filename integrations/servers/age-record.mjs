// Makes a plain record of hallpass older: its tokens were obtained, and end, SECONDS earlier than they say.
// The binary has no switch for this; a check that must not wait an hour edits the record and its checksum instead.
//
//   node age-record.mjs FILE SECONDS
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { around, parts } from './record.mjs';

const [file, shift] = process.argv.slice(2);
const { head, body } = parts(readFileSync(file), file);
const session = JSON.parse(body);
for (const token of session.tokens) {
  for (const name of ['obtained_at', 'expires_at']) {
    if (Number.isInteger(token[name])) token[name] -= Number(shift);
  }
}
const older = Buffer.from(JSON.stringify(session) + (body.at(-1) === 0x0a ? '\n' : ''));
writeFileSync(`${file}.aged`, around(head, older), { mode: statSync(file).mode & 0o777 });
renameSync(`${file}.aged`, file);
