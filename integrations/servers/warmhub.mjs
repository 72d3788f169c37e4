// WarmHub, as its page on access tells it: sign-in by device flow on a hosted page, session JWTs that live shortly, personal
// access tokens, and repositories that a stranger cannot see. Beyond `/api/pats` the page names no path; they are this
// file's own, and its metadata says them.
//
//   node warmhub.mjs [--access-token-ttl 3600] --log FILE
//
// The first line on stdout is `port N`. Tokens rotate at each refresh. Each request becomes one line of the log:
// METHOD PATH STATUS KIND, where KIND is that of the token it brought: session, pat or none.
import { createHmac, randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

const { values: args } = parseArgs({
  options: { 'access-token-ttl': { type: 'string', default: '3600' }, log: { type: 'string' } },
});
const client = 'wh-cli';
const codes = new Map(); // device code: user code, state
const refresh = new Set();
const pats = [];
const random = () => randomBytes(24).toString('base64url');
const key = randomBytes(32);
const day = 24 * 60 * 60 * 1000;

const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const signature = (text) => createHmac('sha256', key).update(text).digest('base64url');
function jwt(seconds) {
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const claims = { iss: origin(), sub: 'u_7', email: 'hal@example.com', exp, jti: random() };
  const text = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64(claims)}`;
  return `${text}.${signature(text)}`;
}

/** What kind of token this is, if it is one of ours and still good. */
function kind(token = '') {
  const pat = pats.find((pat) => pat.token === token);
  if (pat) return 'pat';
  const [head, body, mac] = token.split('.');
  if (!mac || signature(`${head}.${body}`) !== mac) return 'none';
  return JSON.parse(Buffer.from(body, 'base64url')).exp > Date.now() / 1000 ? 'session' : 'none';
}

function begin() {
  const [device_code, user_code] = [random(), `WARM-${randomBytes(2).toString('hex').toUpperCase()}`];
  codes.set(device_code, { user_code, state: 'pending' });
  const verification_uri = `${origin()}/activate`;
  const verification_uri_complete = `${verification_uri}?user_code=${user_code}`;
  return [200, { device_code, user_code, verification_uri, verification_uri_complete, expires_in: 300, interval: 1 }];
}

function decide(form) {
  const code = [...codes.values()].find((code) => code.user_code === form.get('user_code'));
  if (!code) return [404, 'There is no such code.\n'];
  code.state = form.get('answer') === 'yes' ? 'granted' : 'denied';
  return [200, code.state === 'granted' ? 'You are signed in. Go back to your terminal.\n' : 'Refused.\n'];
}

function token(form) {
  const no = (error) => [400, { error }];
  if (form.get('client_id') !== client) return [401, { error: 'invalid_client' }];
  if (form.get('grant_type') === 'refresh_token') {
    if (!refresh.delete(form.get('refresh_token'))) return no('invalid_grant');
  } else {
    const code = codes.get(form.get('device_code'));
    if (code?.state === 'pending') return no('authorization_pending');
    if (code?.state === 'denied') return no('access_denied');
    if (!code) return no('expired_token');
    codes.delete(form.get('device_code'));
  }
  const refresh_token = random();
  refresh.add(refresh_token);
  const seconds = Number(args['access-token-ttl']);
  return [200, { access_token: jwt(seconds), refresh_token, token_type: 'Bearer', expires_in: seconds }];
}

function manage(method, id, body) {
  if (method === 'GET') return [200, { data: pats.map(({ token: _, ...pat }) => pat) }];
  if (method === 'POST') {
    const { name, scopes, expires_in_days } = JSON.parse(body);
    const expires_at = new Date(Date.now() + expires_in_days * day).toISOString();
    pats.push({ id: `pat_${pats.length + 1}`, name, scopes, expires_at, token: `wh_pat_${random()}` });
    return [201, pats.at(-1)];
  }
  const at = pats.findIndex((pat) => pat.id === id);
  if (at < 0) return [404, {}];
  pats.splice(at, 1);
  return [204];
}

function answer(method, path, body, who) {
  const form = new URLSearchParams(body);
  if (path.startsWith('/.well-known/')) {
    const at = (end) => `${origin()}/oauth/${end}`;
    return [200, {
      issuer: origin(), device_authorization_endpoint: at('device'), token_endpoint: at('token'),
      revocation_endpoint: at('revoke'), userinfo_endpoint: at('me'),
    }];
  }
  if (path === '/oauth/device') return form.get('client_id') === client ? begin() : [401, { error: 'invalid_client' }];
  if (path === '/oauth/token') return token(form);
  if (path === '/oauth/revoke') {
    refresh.delete(form.get('token'));
    return [200, {}];
  }
  if (path === '/activate') return method === 'POST' ? decide(form) : [200, 'Is this the code on your screen?\n'];
  if (path === '/repos/public') return [200, { name: 'public' }];
  // Not 403: nobody is told that it is there.
  if (who === 'none' && path.startsWith('/repos/')) return [404, { error: 'not_found' }];
  if (who === 'none') return [401, { error: 'unauthenticated' }];
  if (path === '/oauth/me') return [200, { sub: 'u_7', name: 'Hal Pass', email: 'hal@example.com' }];
  if (path === '/repos/private') return [200, { name: 'private' }];
  if (path.startsWith('/api/pats')) return manage(method, path.split('/')[3], body);
  return [404, {}];
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, origin());
  let body = '';
  for await (const piece of request) body += piece;
  const who = kind(request.headers.authorization?.replace(/^Bearer /, ''));
  const [status, said] = answer(request.method, pathname, body, who);
  appendFileSync(args.log, `${request.method} ${pathname} ${status} ${who}\n`);
  response.writeHead(status, { 'content-type': typeof said === 'string' ? 'text/plain' : 'application/json' });
  response.end(typeof said === 'object' ? JSON.stringify(said) : said);
});
const origin = () => `http://127.0.0.1:${server.address().port}`;
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
