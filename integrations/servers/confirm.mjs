// What a resource server of the checks asks the authorization server: whose token is this?
import { createPublicKey, verify } from 'node:crypto';

const asked = new Map();

async function discovered(issuer) {
  if (!asked.has(issuer)) {
    asked.set(issuer, fetch(`${issuer}/.well-known/openid-configuration`).then((answer) => answer.json()));
  }
  return asked.get(issuer);
}

/** The subject of an access token, by introspection (RFC 7662), asked anew for each request; undefined if it is not active. */
export async function subjectOfAccessToken(issuer, token) {
  const { introspection_endpoint: endpoint } = await discovered(issuer);
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('rs:rs-secret').toString('base64')}` },
    body: new URLSearchParams({ token, token_type_hint: 'access_token' }),
  });
  const { active, sub } = await answer.json();
  return active ? sub : undefined;
}

/** The subject of an id_token: signature by the server's published key, issuer, audience and expiry. */
export async function subjectOfIdToken(issuer, audience, token) {
  const [head, body, signature, more] = token.split('.');
  if (!signature || more !== undefined) return undefined;
  const { jwks_uri: place } = await discovered(issuer);
  const { keys } = await (await fetch(place)).json();
  try {
    const { kid, alg } = JSON.parse(Buffer.from(head, 'base64url'));
    const jwk = keys.find((key) => key.kid === kid);
    if (alg !== 'RS256' || !jwk) return undefined;
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    if (!verify('RSA-SHA256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))) return undefined;
    const { iss, aud, exp, sub } = JSON.parse(Buffer.from(body, 'base64url'));
    return iss === issuer && aud === audience && exp > Date.now() / 1000 ? sub : undefined;
  } catch {
    return undefined; // not a JWT
  }
}

/** The form of an Authorization header (basic, bearer, other, none), and the token in it: the password of Basic. */
export function presented(header = '') {
  const [scheme, value = ''] = header.split(' ');
  if (/^basic$/i.test(scheme)) {
    const pair = Buffer.from(value, 'base64').toString();
    return { form: 'basic', token: pair.slice(pair.indexOf(':') + 1) };
  }
  if (/^bearer$/i.test(scheme)) return { form: 'bearer', token: value };
  return { form: header ? 'other' : 'none', token: '' };
}
