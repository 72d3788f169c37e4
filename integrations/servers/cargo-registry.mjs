// A cargo registry that wants to know everybody: a sparse index, downloads and `cargo publish`, all in memory, open only
// to tokens that the authorization server confirms.
//
//   node cargo-registry.mjs --issuer URL --log FILE [--password TOKEN]
//
// The first line on stdout is `port N`. A token is accepted as `Bearer TOKEN`; `--password` is one that is accepted as
// it is, as those that a person makes on a registry's page. Each request becomes one line of the log:
// FORM SUBJECT STATUS METHOD URL.
import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { subjectOfAccessToken } from './confirm.mjs';

const { values: args } = parseArgs({
  options: { issuer: { type: 'string' }, log: { type: 'string' }, password: { type: 'string' } },
});
const crates = new Map(); // name: { line, body }

async function caller(header) {
  if (header === undefined) return { form: 'none' };
  if (args.password && header === args.password) return { form: 'bare', subject: 'bob' };
  const [scheme, token] = header.split(' ');
  if (scheme !== 'Bearer') return { form: 'other' };
  return { form: 'bearer', subject: await subjectOfAccessToken(args.issuer, token).catch(() => undefined) };
}

async function bytes(req) {
  const pieces = [];
  for await (const piece of req) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Two parts, each with its length before it (little-endian): what is said of the crate, and the crate. */
function published(body) {
  const length = body.readUInt32LE(0);
  const { name, vers } = JSON.parse(body.subarray(4, 4 + length));
  const crate = body.subarray(8 + length);
  const cksum = createHash('sha256').update(crate).digest('hex');
  const line = JSON.stringify({ name, vers, deps: [], cksum, features: {}, yanked: false });
  crates.set(name, { line: `${line}\n`, body: crate });
}

const server = createServer(async (req, res) => {
  const { form, subject } = await caller(req.headers.authorization);
  const { pathname } = new URL(req.url, 'http://127.0.0.1');
  const say = (status, body = '', headers = {}) => {
    appendFileSync(args.log, `${form} ${subject ?? '-'} ${status} ${req.method} ${pathname}\n`);
    res.writeHead(status, headers).end(body);
  };
  const sent = await bytes(req);
  const here = `http://127.0.0.1:${server.address().port}`;
  if (!subject) return say(401, '', { 'WWW-Authenticate': `Cargo login_url="${here}/me"` });
  if (req.method === 'PUT' && pathname === '/api/v1/crates/new') {
    published(sent);
    return say(200, '{"warnings":{"invalid_categories":[],"invalid_badges":[],"other":[]}}');
  }
  if (pathname === '/index/config.json') {
    return say(200, JSON.stringify({ dl: `${here}/dl/{crate}`, api: here, 'auth-required': true }));
  }
  const crate = crates.get(pathname.split('/').at(-1));
  if (!crate) return say(404);
  return say(200, pathname.startsWith('/dl/') ? crate.body : crate.line);
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
