// A plain record of hallpass, for those who change one where the binary has no switch: its body, and itself around another
// body, with the checksum that hallpass counts.

/** A 64-bit fold over little-endian words, the last one padded with zeros. */
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

/** `{ head, body }` of the bytes of a record; FILE is for the message. */
export function parts(record, file) {
  const found = /(^|\n)(hallpass-record 1 plain )([0-9a-f]{16})\n/.exec(record.toString('latin1'));
  if (!found) throw new Error(`${file}: not a plain record`);
  const body = record.subarray(found.index + found[0].length);
  if (checksum(body) !== found[3]) throw new Error(`${file}: the checksum is ${found[3]}, counted ${checksum(body)}`);
  return { head: record.subarray(0, found.index + found[1].length + found[2].length), body };
}

/** The bytes of a record with this body. */
export function around(head, body) {
  return Buffer.concat([head, Buffer.from(`${checksum(body)}\n`), body]);
}
