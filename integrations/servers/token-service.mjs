// A security token service (RFC 8693) for the checks: an id_token of the authorization server for a token of its own.
//
//   node token-service.mjs --cert FILE --key FILE --issuer URL --client-id ID --log FILE
//
// The first line on stdout is `port N`. Each exchange becomes one line of the log: SUBJECT STATUS AUDIENCE TYPE.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { parseArgs } from 'node:util';
import { subjectOfIdToken } from './confirm.mjs';

const { values: args } = parseArgs({
  options: {
    cert: { type: 'string' },
    key: { type: 'string' },
    issuer: { type: 'string' },
    'client-id': { type: 'string' },
    log: { type: 'string' },
  },
});
const server = createServer({ cert: readFileSync(args.cert), key: readFileSync(args.key) }, async (req, res) => {
  let body = '';
  for await (const piece of req) body += piece;
  const form = new URLSearchParams(body);
  const subject = await subjectOfIdToken(args.issuer, args['client-id'], form.get('subject_token') ?? '');
  const status = subject ? 200 : 400;
  const type = form.get('subject_token_type')?.split(':').at(-1);
  appendFileSync(args.log, `${subject ?? '-'} ${status} ${form.get('audience')} ${type}\n`);
  const answer = subject
    ? {
      access_token: `theirs-for-${subject}`,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: 3600,
    }
    : { error: 'invalid_grant' };
  res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
