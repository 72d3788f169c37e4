// An authorization server for the checks: npm `oidc-provider` on 127.0.0.1, with a person who always says yes.
//
//   node authorization-server.mjs --modules DIR [--access-token-ttl 3600] [--access-token-length 43] [--token-delay 0]
//       [--pages] [--machine-keys FILE --trusted-issuer URL]
//
// With `--pages` it asks on the package's own pages, for a browser with somebody in front of it.
// With `--machine-keys` it knows machines too (machines.mjs), and resources under https://api.example.com.
// The first line on stdout is `port N`. Refresh tokens rotate at every use, and a replayed one ends the whole grant,
// so a client that refreshes twice at once loses its session here as it would in the field.
// Two routes of our own: `GET /stats/NAME` answers how often something was asked for (token, authorize, device,
// introspection, revocation), and `POST /expire` with a token as the body makes the server forget that access token alone
// (RFC 7009 revocation here ends the grant with it, which is a logout and not what the checks want to show).
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { machineClients, machineGrants } from './machines.mjs';

const { values: args } = parseArgs({
  options: {
    modules: { type: 'string' },
    'access-token-ttl': { type: 'string', default: '3600' },
    'access-token-length': { type: 'string', default: '43' },
    'token-delay': { type: 'string', default: '0' },
    pages: { type: 'boolean', default: false },
    'machine-keys': { type: 'string' },
    'trusted-issuer': { type: 'string' },
  },
});
const entry = resolve(join(args.modules, 'node_modules', 'oidc-provider', 'lib', 'index.js'));
const { default: Provider, errors: { InvalidTarget } } = await import(pathToFileURL(entry));

const ttl = Number(args['access-token-ttl']);
const day = 24 * 60 * 60;
const stats = { authorize: 0, token: 0, device: 0, introspection: 0, revocation: 0 };
const counted = {
  '/auth': 'authorize',
  '/token': 'token',
  '/device/auth': 'device',
  '/token/introspection': 'introspection',
  '/token/revocation': 'revocation',
};

const resources = {
  enabled: true,
  getResourceServerInfo: (_ctx, resource) => {
    if (!resource.startsWith('https://api.example.com/')) throw new InvalidTarget('unknown resource');
    return { scope: 'read write', audience: resource, accessTokenFormat: 'opaque' };
  },
};

function configuration() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    clients: [
      {
        client_id: 'cli', // the public client hallpass signs in as: PKCE, any loopback port
        token_endpoint_auth_method: 'none',
        application_type: 'native',
        redirect_uris: ['http://127.0.0.1/callback'],
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        response_types: ['code'],
      },
      {
        client_id: 'terraform', // signs in by itself: `terraform login`
        token_endpoint_auth_method: 'none',
        application_type: 'native',
        redirect_uris: ['http://localhost/login'],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
      {
        client_id: 'oidc-agent', // signs in by itself, and can authenticate with a secret only
        client_secret: 'oidc-agent-secret',
        application_type: 'native',
        redirect_uris: ['http://localhost'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
      { client_id: 'rs', client_secret: 'rs-secret', redirect_uris: [], grant_types: [], response_types: [] }, // introspects
      ...(args['machine-keys'] ? machineClients(args['machine-keys']) : []),
    ],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'check' }] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    features: {
      devInteractions: { enabled: args.pages },
      deviceFlow: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      ...(args['machine-keys'] && { clientCredentials: { enabled: true }, resourceIndicators: resources }),
      // Whoever comes with a proof needs a nonce in it.
      ...(args['machine-keys'] && { dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true } }),
    },
    // Six bits to a character.
    formats: { bitsOfOpaqueRandomness: (_ctx, { kind }) => (kind === 'AccessToken' ? Number(args['access-token-length']) : 43) * 6 },
    extraTokenClaims: (ctx) => ctx.names,
    ...(args['machine-keys'] && { scopes: ['openid', 'offline_access', 'read', 'write'] }),
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, name: 'Alice', email: 'alice@example.com' }) }),
    // This server drops `offline_access` unless the request says prompt=consent; the checks want a session either way.
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    ttl: { AccessToken: ttl, IdToken: ttl, AuthorizationCode: 60, RefreshToken: day, Grant: day, Session: day, Interaction: 600 },
    ...(!args.pages && { interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` } }),
  };
}

/** The pages of a sign-in, answered without a page: log in as alice, grant all that was asked for. */
async function interact(provider, req, res) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(req, res);
  if (prompt.name === 'login') {
    return provider.interactionFinished(req, res, { login: { accountId: 'alice' } });
  }
  const grant = (grantId && await provider.Grant.find(grantId))
    || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
  for (const [resource, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  if (prompt.details.missingOIDCClaims) grant.addOIDCClaims(prompt.details.missingOIDCClaims);
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(req, res, { consent }, { mergeWithLastSubmission: true });
}

async function text(req) {
  let body = '';
  for await (const piece of req) body += piece;
  return body.trim();
}

let provider;
let callback;
const server = createServer(async (req, res) => {
  try {
    const { pathname } = new URL(req.url, 'http://127.0.0.1');
    if (pathname.startsWith('/stats/')) {
      res.end(`${stats[pathname.slice('/stats/'.length)]}\n`);
    } else if (pathname === '/expire' && req.method === 'POST') {
      const token = await provider.AccessToken.find(await text(req));
      await token?.destroy();
      res.writeHead(token ? 200 : 404).end();
    } else if (!args.pages && pathname.startsWith('/interaction/')) {
      await interact(provider, req, res);
    } else {
      if (counted[pathname]) stats[counted[pathname]] += 1;
      // A slow token endpoint makes callers meet: without it the first of a crowd is done before the last one asks.
      if (pathname === '/token') await sleep(Number(args['token-delay']));
      await callback(req, res);
    }
  } catch (error) {
    console.error(error);
    if (!res.headersSent) res.writeHead(500);
    res.end();
  }
});
server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address();
  provider = new Provider(`http://127.0.0.1:${port}`, configuration());
  if (args['trusted-issuer']) await machineGrants(provider, args.modules, args['trusted-issuer']);
  callback = provider.callback();
  console.log(`port ${port}`);
});
