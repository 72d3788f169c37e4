// A git host for the checks: plain HTTP in front of `git http-backend` (CGI), open only to tokens that the
// authorization server confirms, asked anew for each request.
//
//   node git-host.mjs --root DIR --backend FILE --issuer URL --offer basic,bearer --log FILE
//
// The first line on stdout is `port N`. Only the forms on offer are accepted. Each request becomes one line of the log:
// FORM SUBJECT STATUS METHOD URL, with `none` for a request that carried no Authorization header.
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { presented, subjectOfAccessToken } from './confirm.mjs';

const { values: args } = parseArgs({
  options: {
    root: { type: 'string' },
    backend: { type: 'string' },
    issuer: { type: 'string' },
    offer: { type: 'string' },
    log: { type: 'string' },
  },
});
const offered = args.offer.split(',');
const challenges = { basic: 'Basic realm="git"', bearer: 'Bearer realm="git"' };

/** Runs the backend for one request and passes its answer on; `log` is told the status before the last byte leaves. */
function backend(req, res, subject, log) {
  const { pathname, search } = new URL(req.url, 'http://127.0.0.1');
  const child = spawn(args.backend, [], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: args.root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_PROTOCOL: req.headers['git-protocol'] ?? '',
      REQUEST_METHOD: req.method,
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: req.headers['content-type'] ?? '',
      // A chunked body has no length: the backend then reads to the end.
      ...(req.headers['content-length'] && { CONTENT_LENGTH: req.headers['content-length'] }),
      HTTP_CONTENT_ENCODING: req.headers['content-encoding'] ?? '',
      REMOTE_USER: subject,
      REMOTE_ADDR: '127.0.0.1',
    },
  });
  child.stdin.on('error', () => {}); // it may have read enough
  req.pipe(child.stdin);
  let head = Buffer.alloc(0);
  child.stdout.on('data', (piece) => {
    if (res.headersSent) return void res.write(piece);
    head = Buffer.concat([head, piece]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    let status = 200;
    for (const line of head.subarray(0, end).toString().split('\r\n')) {
      const colon = line.indexOf(':');
      const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
      if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
      else res.setHeader(name, value);
    }
    res.writeHead(status);
    res.write(head.subarray(end + 4));
  });
  child.stdout.on('end', () => {
    if (!res.headersSent) res.writeHead(500);
    log(res.statusCode);
    res.end();
  });
}

const server = createServer(async (req, res) => {
  const { form, token } = presented(req.headers.authorization);
  let subject;
  if (offered.includes(form)) subject = await subjectOfAccessToken(args.issuer, token).catch(() => undefined);
  const log = (status) => appendFileSync(args.log, `${form} ${subject ?? '-'} ${status} ${req.method} ${req.url}\n`);
  if (subject) return backend(req, res, subject, log);
  log(401);
  req.resume(); // drained, or git sees a reset connection and not the 401
  req.on('end', () => {
    res.writeHead(401, { 'WWW-Authenticate': offered.map((name) => challenges[name]) }).end();
  });
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
