// Which pieces of a program were touched, as a linker script that puts them side by side: those that every run touched
// first, so that the others do not lie between them.
//
//   node pieces.mjs MAP TRACE...      MAP by `ld -Map`, TRACE by `valgrind --tool=lackey --trace-mem=yes`

import { readFileSync } from 'node:fs';

const [map, ...traces] = process.argv.slice(2);

// A long name has a line of its own, and its place is on the next one.
const taken = readFileSync(map, 'utf8').split('Linker script and memory map')[1];
const pieces = [...taken.matchAll(/^ (\.\S+|COMMON)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S.*)$/gm)]
    .map(([, section, place, size, file]) => ({ section, file, place: parseInt(place, 16), size: parseInt(size, 16), by: '' }))
    .filter((piece) => piece.place && piece.size)
    .sort((one, other) => one.place - other.place);

function pieceAt(place) {
    let [low, high] = [0, pieces.length];
    while (high - low > 1) {
        const middle = (low + high) >> 1;
        [low, high] = pieces[middle].place <= place ? [middle, high] : [low, middle];
    }
    return place < pieces[low].place + pieces[low].size ? pieces[low] : undefined;
}

for (const [number, trace] of traces.entries()) {
    const places = new Set([...readFileSync(trace, 'latin1').matchAll(/^(?:I | [LSM]) +([0-9a-f]+),/gm)].map(([, place]) => place));
    for (const place of places) {
        const piece = pieceAt(parseInt(place, 16));
        if (piece) piece.by = piece.by.padEnd(number, '-').slice(0, number) + 'x';
    }
}

// How the linker is told of a piece. Numbers that are others with each compiler are left open, unless that would mean pieces
// that nobody touched.
const exact = ({ section, file }) => {
    const [, archive, member] = /([^/]+)\((.+)\)$/.exec(file) ?? []; // where sections may all be called alike
    if (archive) return `*${archive.replace(/-[0-9a-f]{16}/, '*')}:${member.replace(/^[0-9a-f]{16}/, '*')}(${section})`;
    return file.endsWith('.rcgu.o') ? `*(${section.replaceAll('$', '?')})` : `*${file.replace(/.*\//, '')}(${section})`;
};
const open = (piece) => exact(piece).replace(/17h[0-9a-f]{16}E/, '17h*').replace(/Cs[0-9A-Za-z]+_/g, 'Cs*_').replace(/\.llvm\.\d+/, '*');
const cold = new Set(pieces.filter((piece) => !piece.by).map(open));
const named = (piece) => (cold.has(open(piece)) ? exact(piece) : open(piece));

const often = (piece) => piece.by.replaceAll('-', '').length;
const touched = pieces.filter((piece) => piece.by)
    .sort((one, other) => often(other) - often(one) || (one.by < other.by ? 1 : one.by > other.by ? -1 : one.place - other.place));

// What is only read goes beside the program's head, which is read at every start; what changes, to the seam of what is filled
// and what is empty. The C library asks the system where its clock is, which does not happen under valgrind.
const among = (kind) => touched.filter(({ section }) => kind.test(section)).map(named);
const parts = [
    ['.rodata', 'AFTER .rela.dyn', among(/^\.rodata/), '*libc.a:clock_gettime.lo(.rodata .rodata.*)', '*libc.a:vdso.lo(.rodata .rodata.*)'],
    ['.text', 'BEFORE .text', among(/^\.text/), '*libc.a:strcmp.lo(.text.*)'],
    ['.data', 'AFTER .data', among(/^\.data(?!\.rel\.ro)/)],
    ['.bss', 'BEFORE .bss', among(/^(\.bss|COMMON)/)],
];
console.log('/* What a hit touches, side by side. Written by integrations/speed/order. */');
for (const [section, where, ...names] of parts) {
    console.log(`SECTIONS\n{\n  ${section}.hit :\n  {`);
    for (const name of new Set(names.flat())) console.log(`    ${name}`);
    console.log(`  }\n}\nINSERT ${where};`);
}
