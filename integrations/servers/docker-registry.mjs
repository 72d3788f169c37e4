// As much of a container registry as `docker login` and `docker manifest inspect` ask for, with token authentication: the
// registry sends its clients to its token endpoint, which knows them by user name and password.
//
//   node docker-registry.mjs --issuer URL --log FILE [--person NAME:PASSWORD]
//
// The first line on stdout is `port N`. The password is an access token that the authorization server confirms, or that
// of the one person named. Each request becomes one line of the log: WHAT USER SUBJECT STATUS, WHAT being `basic`,
// `refresh` (an identity token, POST), `registry`, or `none`.
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { subjectOfAccessToken } from './confirm.mjs';

const { values: args } = parseArgs({
  options: { issuer: { type: 'string' }, log: { type: 'string' }, person: { type: 'string' } },
});
const given = new Map(); // the registry's own tokens, and whose they are

const config = JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, config: {} });
const digest = `sha256:${createHash('sha256').update(config).digest('hex')}`;
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
  config: { mediaType: 'application/vnd.docker.container.image.v1+json', size: config.length, digest },
  layers: [],
});

/** Whose user name and password these are. */
async function known(pair) {
  if (args.person && pair === args.person) return pair.slice(0, pair.indexOf(':'));
  return subjectOfAccessToken(args.issuer, pair.slice(pair.indexOf(':') + 1)).catch(() => undefined);
}

const server = createServer(async (req, res) => {
  const { pathname } = new URL(req.url, 'http://127.0.0.1');
  const [scheme, value = ''] = (req.headers.authorization ?? '').split(' ');
  const say = (what, user, subject, status, body, headers = {}) => {
    appendFileSync(args.log, `${what} ${user} ${subject ?? '-'} ${status}\n`);
    res.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(body);
  };
  req.resume();
  if (pathname === '/token') {
    if (req.method === 'POST') return say('refresh', '-', undefined, 401, '{}');
    if (scheme !== 'Basic') return say('none', '-', undefined, 401, '{}');
    const pair = Buffer.from(value, 'base64').toString();
    const subject = await known(pair);
    const user = pair.slice(0, pair.indexOf(':'));
    if (!subject) return say('basic', user, undefined, 401, '{}');
    const token = randomBytes(24).toString('base64url');
    given.set(token, subject);
    return say('basic', user, subject, 200, JSON.stringify({ token, access_token: token, expires_in: 300 }));
  }
  const subject = scheme === 'Bearer' ? given.get(value) : undefined;
  if (!subject) {
    const realm = `http://127.0.0.1:${server.address().port}/token`;
    return say('none', '-', undefined, 401, '{}', { 'WWW-Authenticate': `Bearer realm="${realm}",service="check"` });
  }
  if (pathname === '/v2/') return say('registry', '-', subject, 200, '{}');
  if (pathname === `/v2/team/app/blobs/${digest}`) return say('registry', '-', subject, 200, config);
  if (!/^\/v2\/team\/app\/manifests\//.test(pathname)) return say('registry', '-', subject, 404, '{}');
  return say('registry', '-', subject, 200, manifest, {
    'Content-Type': 'application/vnd.docker.distribution.manifest.v2+json',
  });
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
