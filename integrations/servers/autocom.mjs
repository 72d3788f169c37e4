// autocom's platform, as its page on authentication tells it: Passport's authorization server, and the API beside it.
// Paths as in integrations/providers/autocom.toml; what the page leaves open (tenants, orders) is Laravel's way.
//
//   node autocom.mjs [--access-token-ttl 3600] --log FILE
//
// The first line on stdout is `port N`. The person at the approval page always says yes. Tokens rotate at each refresh, and
// a spent one ends its family. Each request becomes one line of the log: METHOD PATH STATUS TENANT.
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

const { values: args } = parseArgs({
  options: { 'access-token-ttl': { type: 'string', default: '3600' }, log: { type: 'string' } },
});
const client = '9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d'; // as `php artisan passport:client --public` shows it
const redirects = [8765, 8766, 8767, 8768, 8769].map((port) => `http://127.0.0.1:${port}/callback`);
const tenants = [{ slug: 'acme', name: 'Acme Inc.' }, { slug: 'globex', name: 'Globex' }];
const codes = new Map(); // code: challenge, redirect_uri
const live = new Map([['pat-of-the-check', 'pat']]); // access token: its family
const fresh = new Map(); // refresh token: its family
const spent = new Map();
const random = () => randomBytes(24).toString('base64url');

function authorize(asked) {
  const redirect = asked.get('redirect_uri');
  if (asked.get('client_id') !== client) return [400, { message: 'Client authentication failed' }];
  if (!redirects.includes(redirect)) return [400, { message: 'The redirect URI is not registered' }];
  if (asked.get('code_challenge_method') !== 'S256') return [400, { message: 'S256 is required' }];
  const back = new URL(redirect);
  const code = random();
  codes.set(code, { challenge: asked.get('code_challenge'), redirect });
  back.search = new URLSearchParams({ code, state: asked.get('state') });
  return [302, undefined, { location: back.href }];
}

function grant(family) {
  const [access_token, refresh_token] = [random(), random()];
  live.set(access_token, family);
  fresh.set(refresh_token, family);
  return [200, { token_type: 'Bearer', expires_in: Number(args['access-token-ttl']), access_token, refresh_token }];
}

function token(form) {
  const no = [400, { error: 'invalid_grant', error_description: 'The grant is invalid' }];
  if (form.get('client_id') !== client) return [401, { error: 'invalid_client' }];
  if (form.get('grant_type') === 'refresh_token') {
    const old = form.get('refresh_token');
    const family = fresh.get(old);
    fresh.delete(old);
    if (!family) {
      for (const book of [live, fresh]) for (const [key, of] of book) if (of === spent.get(old)) book.delete(key);
      return no;
    }
    spent.set(old, family);
    return grant(family);
  }
  const code = codes.get(form.get('code'));
  codes.delete(form.get('code'));
  const challenge = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
  if (code?.challenge !== challenge || code.redirect !== form.get('redirect_uri')) return no;
  return grant(random());
}

function api(path, tenant) {
  if (path === '/profile') return [200, { data: { id: 7, name: 'Hal Pass', email: 'hal@example.com' } }];
  if (path === '/tenants') return [200, { data: tenants }];
  if (path !== '/orders') return [404, { message: 'Not found.' }];
  if (!tenants.some(({ slug }) => slug === tenant)) return [403, { message: 'You are not a member of this tenant.' }];
  return [200, { data: [{ id: 1, of: tenant }] }];
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://127.0.0.1');
  let body = '';
  for await (const piece of request) body += piece;
  const tenant = request.headers['x-tenant'];
  let answer = [404, { message: 'Not found.' }];
  if (url.pathname === '/oauth/authorize') answer = authorize(url.searchParams);
  else if (url.pathname === '/oauth/token') answer = token(new URLSearchParams(body));
  else if (url.pathname.startsWith('/api/v1/')) {
    const known = live.has(request.headers.authorization?.replace(/^Bearer /, ''));
    answer = known ? api(url.pathname.slice('/api/v1'.length), tenant) : [401, { message: 'Unauthenticated.' }];
  }
  const [status, json, headers] = answer;
  appendFileSync(args.log, `${request.method} ${url.pathname} ${status} ${tenant ?? '-'}\n`);
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(json && JSON.stringify(json));
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
