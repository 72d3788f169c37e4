// A CI service for the checks: gives a job its identity as GitHub's runners have it from theirs, and publishes its keys.
//
//   node ci-service.mjs --log FILE
//
// The first line on stdout is `port N`. `GET /idtoken?audience=...` with `Authorization: Bearer runner` answers
// `{"count":N,"value":JWT}`, a JWT of five minutes; `/jwks` has the key. Each becomes one line of the log: STATUS AUDIENCE.
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

const { values: args } = parseArgs({ options: { log: { type: 'string' } } });
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const text = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

function identity(issuer, audience) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, sub: 'repo:acme/tool:ref:refs/heads/main', aud: audience, jti: randomUUID(), iat: now, exp: now + 300 };
  const signed = `${text({ alg: 'RS256', typ: 'JWT', kid: 'ci' })}.${text(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
}

const server = createServer((req, res) => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const { pathname, searchParams } = new URL(req.url, issuer);
  const say = (status, value) => res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
  if (pathname === '/jwks') {
    return say(200, { keys: [{ ...publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'ci' }] });
  }
  const audience = searchParams.get('audience');
  const known = pathname === '/idtoken' && req.method === 'GET' && req.headers.authorization === 'Bearer runner';
  appendFileSync(args.log, `${known ? 200 : 401} ${audience}\n`);
  if (!known) return say(401, { message: 'no' });
  const value = identity(issuer, audience ?? 'https://ci.example/acme');
  return say(200, { count: value.length, value });
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
