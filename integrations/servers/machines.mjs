// What the authorization server knows of machines: clients with secrets and keys, and two grants that `oidc-provider` leaves to
// whoever runs it: token exchange (RFC 8693) and JWT bearer (RFC 7523), for its own access tokens and a CI service's JWTs.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** The clients. `keys`: a file with `{ NAME: JWK }`; each key makes a client `robot-NAME`. */
export function machineClients(keys) {
  const machine = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'], scope: 'read write' };
  const secret = 's3 cret:%&+/=\u007e';
  const keyed = Object.entries(JSON.parse(readFileSync(keys, 'utf8')));
  return [
    { ...machine, client_id: 'robot:basic', client_secret: secret, token_endpoint_auth_method: 'client_secret_basic' },
    { ...machine, client_id: 'robot-post', client_secret: secret, token_endpoint_auth_method: 'client_secret_post' },
    ...keyed.map(([name, key]) => ({
      ...machine, client_id: `robot-${name}`, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key] },
    })),
    { ...machine, client_id: 'exchanger', token_endpoint_auth_method: 'none', grant_types: [EXCHANGE, JWT_BEARER] },
    {
      client_id: 'app', // a person's, with a key, whose requests have to be pushed
      application_type: 'native',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: keyed.map(([, key]) => key) },
      require_pushed_authorization_requests: true,
      redirect_uris: ['http://127.0.0.1/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
    {
      client_id: 'bound', // a person's, whose tokens are bound to a key
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      dpop_bound_access_tokens: true,
      redirect_uris: ['http://127.0.0.1/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
  ];
}

/** `trusted`: the CI service, an issuer whose keys are at `/jwks`. */
export async function machineGrants(provider, modules, trusted) {
  const { createRemoteJWKSet, jwtVerify } = await import(
    pathToFileURL(resolve(join(modules, 'node_modules', 'jose', 'dist', 'webapi', 'index.js')))
  );
  const jwks = createRemoteJWKSet(new URL(`${trusted}/jwks`));
  const ofJob = async (jwt) => (await jwtVerify(jwt, jwks, { issuer: trusted, audience: provider.issuer })).payload.sub;
  const ofPerson = async (value) => {
    const token = await provider.AccessToken.find(value);
    if (!token?.isValid) throw new Error('no such access token');
    return token.accountId;
  };
  const whose = (value, type) => (type === ACCESS_TOKEN ? ofPerson(value) : ofJob(value));

  const answer = async (ctx, subject, actor, error) => {
    const { client, params } = ctx.oidc;
    let names;
    try {
      names = { subject: await subject(), ...(actor && { actor: await actor() }) };
    } catch (why) {
      ctx.status = 400;
      ctx.body = { error, error_description: why.message.replace(/[^ -~]|["\\]/g, '?') };
      return;
    }
    ctx.names = names; // `extraTokenClaims` puts them into the token
    const token = new provider.ClientCredentials({ client, scope: params.scope });
    if (params.audience) token.setAudience(params.audience);
    ctx.body = {
      access_token: await token.save(), token_type: 'Bearer', expires_in: token.expiration, scope: params.scope,
      ...(error === 'invalid_request' && { issued_token_type: ACCESS_TOKEN }),
    };
  };
  const common = ['scope', 'audience', 'resource'];
  provider.registerGrantType(EXCHANGE, (ctx) => {
    const { subject_token: subject, subject_token_type: type, actor_token: actor, actor_token_type: of } = ctx.oidc.params;
    return answer(ctx, () => whose(subject, type), actor && (() => whose(actor, of)), 'invalid_request');
  }, [...common, 'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type']);
  provider.registerGrantType(JWT_BEARER, (ctx) => (
    answer(ctx, () => ofJob(ctx.oidc.params.assertion), undefined, 'invalid_grant')
  ), [...common, 'assertion']);
}
