// As much of a Kubernetes API server as `kubectl get pods` asks for, over TLS (kubectl runs no plugin without it).
//
//   node kubernetes-stub.mjs --cert FILE --key FILE --issuer URL --client-id ID --log FILE
//
// The first line on stdout is `port N`. A caller is known by an id_token or an access token of the authorization server;
// anybody else gets 401. Each request becomes one line of the log: KIND SUBJECT STATUS METHOD URL.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { parseArgs } from 'node:util';
import { subjectOfAccessToken, subjectOfIdToken } from './confirm.mjs';

const { values: args } = parseArgs({
  options: {
    cert: { type: 'string' },
    key: { type: 'string' },
    issuer: { type: 'string' },
    'client-id': { type: 'string' },
    log: { type: 'string' },
  },
});

const pods = { name: 'pods', singularName: 'pod', namespaced: true, kind: 'Pod', shortNames: ['po'], verbs: ['get', 'list'] };
const pod = {
  metadata: { name: 'hello', namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { containers: [{ name: 'hello', image: 'hello' }] },
  status: { phase: 'Running', containerStatuses: [{ name: 'hello', ready: true, restartCount: 0, image: 'hello', imageID: '' }] },
};
const answers = {
  '/version': { major: '1', minor: '33', gitVersion: 'v1.33.0' },
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
  '/api/v1': { kind: 'APIResourceList', groupVersion: 'v1', resources: [pods] },
  '/api/v1/namespaces/default/pods': { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: [pod] },
};
const refusal = (code, reason) => ({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: reason });

async function caller(header = '') {
  const [scheme, token] = header.split(' ');
  if (!token || !/^bearer$/i.test(scheme)) return { kind: 'none' };
  const known = await subjectOfIdToken(args.issuer, args['client-id'], token);
  if (known) return { kind: 'id_token', subject: known };
  const subject = await subjectOfAccessToken(args.issuer, token).catch(() => undefined);
  return { kind: subject ? 'access_token' : 'unknown', subject };
}

const server = createServer({ cert: readFileSync(args.cert), key: readFileSync(args.key) }, async (req, res) => {
  const { kind, subject } = await caller(req.headers.authorization);
  const { pathname } = new URL(req.url, 'https://127.0.0.1');
  const [status, body] = !subject ? [401, refusal(401, 'Unauthorized')]
    : answers[pathname] ? [200, answers[pathname]]
      : [404, refusal(404, 'NotFound')];
  appendFileSync(args.log, `${kind} ${subject ?? '-'} ${status} ${req.method} ${pathname}\n`);
  res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
