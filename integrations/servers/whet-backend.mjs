// A backend that keeps links to other platforms, and the page of such a platform: start and finish with PKCE, list,
// revoke. Paths and fields as in integrations/providers/whet.toml.
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

const key = 'backend-key-of-the-check';
const platforms = ['github', 'slack'];
const rows = new Map(); // state: platform, redirect_uri, verifier
const codes = new Map(); // code: challenge, redirect_uri
const links = [];
const bearers = new Set();

const challengeOf = (verifier) => createHash('sha256').update(verifier).digest('base64url');
const random = () => randomBytes(24).toString('base64url');

function start(platform, body) {
  if (!platforms.includes(platform)) return [404, { error: 'no_adapter' }];
  for (const [state, row] of rows) if (row.platform === platform) rows.delete(state);
  const [state, verifier] = [random(), random()];
  rows.set(state, { platform, redirect_uri: body.redirect_uri, verifier });
  const page = new URL('/platform/authorize', origin());
  page.search = new URLSearchParams({
    client_id: 'whet', response_type: 'code', redirect_uri: body.redirect_uri, state,
    code_challenge: challengeOf(verifier), code_challenge_method: 'S256',
  });
  return [200, { authorize_url: page.href, expires_in: 600 }];
}

function finish(platform, body) {
  const row = rows.get(body.state);
  if (row?.platform !== platform) return [400, { error: 'state', message: 'this state is not known' }];
  rows.delete(body.state);
  const granted = codes.get(body.code);
  codes.delete(body.code);
  if (granted?.challenge !== challengeOf(row.verifier) || granted.redirect_uri !== row.redirect_uri) {
    return [400, { error: 'code', message: 'the platform refused the code' }];
  }
  const link = { id: `cred_${links.length + 1}`, platform, account: 'octocat', organization: 'Acme', revoked_at: null };
  links.push(link);
  return [201, link];
}

function revoke(id) {
  const link = links.find((link) => link.id === id);
  if (!link) return [404, { error: 'not_found' }];
  link.revoked_at ??= new Date().toISOString();
  return [204];
}

function answer(method, path, body) {
  const parts = path.slice(1).split('/');
  if (parts[0] !== 'oauth') return [404, {}];
  if (method === 'POST' && parts[2] === 'start') return start(parts[1], body);
  if (method === 'POST' && parts[2] === 'finish') return finish(parts[1], body);
  if (method === 'GET' && parts[1] === 'platforms') return [200, { platforms: platforms.map((name) => ({ name })) }];
  if (method === 'GET' && parts[1] === 'credentials') return [200, { credentials: links }];
  if (method === 'DELETE' && parts[1] === 'credentials') return revoke(parts[2]);
  return [404, {}];
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, origin());
  const send = (status, body, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  };
  if (url.pathname === '/stats/links') return send(200, links.length);
  if (url.pathname === '/stats/bearers') return send(200, [...bearers]);
  if (url.pathname === '/platform/authorize') {
    const asked = url.searchParams;
    const [code, back] = [random(), new URL(asked.get('redirect_uri'))];
    codes.set(code, { challenge: asked.get('code_challenge'), redirect_uri: asked.get('redirect_uri') });
    back.search = new URLSearchParams({ code, state: asked.get('state') });
    return send(302, undefined, { location: back.href });
  }
  let text = '';
  for await (const chunk of request) text += chunk;
  const bearer = request.headers.authorization?.replace(/^Bearer /, '');
  bearers.add(bearer);
  if (bearer !== key) return send(401, { error: 'key', message: 'this key is not known' });
  return send(...answer(request.method, url.pathname, text ? JSON.parse(text) : {}));
});

const origin = () => `http://127.0.0.1:${server.address().port}`;
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
