// Files behind a sign-in: what a module proxy, a package index or a registry of the checks hands out, to nobody but those
// whose token the authorization server confirms, asked anew for each request.
//
//   node files-host.mjs --root DIR --issuer URL --offer basic,bearer --log FILE [--cert FILE --key FILE]
//
// The first line on stdout is `port N`; with a certificate it speaks TLS. Only the forms on offer are accepted; `vault` is
// Vault's own header. A folder
// is its index.html; lines `Name: value` in FILE.headers go out with FILE. Each request becomes one line of the log:
// FORM SUBJECT STATUS METHOD URL, with `none` for a request that carried no Authorization header and `name` for a user name
// without a password, which pip and uv try first. What lies under
// /open/ is for everybody: package managers fetch archives without a credential; so is /.well-known/, which says what is
// where. WebDAV's clients may look around.
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { extname, join, normalize } from 'node:path';
import { parseArgs } from 'node:util';
import { presented, subjectOfAccessToken } from './confirm.mjs';

const { values: args } = parseArgs({
  options: {
    root: { type: 'string' },
    issuer: { type: 'string' },
    offer: { type: 'string' },
    log: { type: 'string' },
    cert: { type: 'string' },
    key: { type: 'string' },
  },
});
const offered = args.offer.split(',');
const challenges = { basic: 'Basic realm="files"', bearer: 'Bearer realm="files"' };
const types = { '.html': 'text/html', '.json': 'application/json', '.tgz': 'application/gzip' };

/** The file that a path means, if there is one. */
function meant(pathname) {
  const file = join(args.root, normalize(decodeURIComponent(pathname)));
  const index = join(file, 'index.html');
  if (existsSync(index)) return index;
  return existsSync(file) && statSync(file).isFile() ? file : undefined;
}

/** What WebDAV's clients want to know of a file, or of a folder and what is in it; undefined for what is not there. */
function described(pathname) {
  const file = join(args.root, normalize(decodeURIComponent(pathname)));
  if (!existsSync(file)) return undefined;
  const inside = statSync(file).isDirectory() ? readdirSync(file).map((name) => join(pathname, name)) : [];
  const one = (path) => {
    const found = statSync(join(args.root, path));
    const kind = found.isDirectory() ? '<D:resourcetype><D:collection/></D:resourcetype>' : '<D:resourcetype/>';
    const facts = `${kind}<D:getcontentlength>${found.size}</D:getcontentlength><D:getlastmodified>${found.mtime.toUTCString()}</D:getlastmodified>`;
    return `<D:response><D:href>${path}</D:href><D:propstat><D:prop>${facts}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`;
  };
  return `<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">${[pathname, ...inside].map(one).join('')}</D:multistatus>`;
}

async function answer(req, res) {
  const key = req.headers['x-vault-token'];
  const { form: spelled, token } = key ? { form: 'vault', token: key } : presented(req.headers.authorization);
  const form = spelled === 'basic' && token === '' ? 'name' : spelled;
  const { pathname } = new URL(req.url, 'http://127.0.0.1');
  let subject;
  if (offered.includes(form)) subject = await subjectOfAccessToken(args.issuer, token).catch(() => undefined);
  const say = (status, headers = {}, body = '') => {
    appendFileSync(args.log, `${form} ${subject ?? '-'} ${status} ${req.method} ${req.url}\n`);
    res.writeHead(status, headers).end(body);
  };
  req.resume();
  if (!subject && !/^\/(open|\.well-known)\//.test(pathname)) {
    return say(401, { 'WWW-Authenticate': offered.flatMap((name) => challenges[name] ?? []) });
  }
  const text = req.method === 'PROPFIND' ? described(pathname) : undefined;
  if (text) return say(207, { 'Content-Type': 'application/xml' }, text);
  const file = meant(pathname);
  if (!file) return say(404);
  const headers = { 'Content-Type': types[extname(file)] ?? 'application/octet-stream' };
  if (existsSync(`${file}.headers`)) {
    for (const line of readFileSync(`${file}.headers`, 'utf8').trim().split('\n')) {
      headers[line.slice(0, line.indexOf(':'))] = line.slice(line.indexOf(':') + 1).trim();
    }
  }
  return say(200, headers, readFileSync(file));
}

const server = args.cert
  ? createTlsServer({ cert: readFileSync(args.cert), key: readFileSync(args.key) }, answer)
  : createServer(answer);
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
