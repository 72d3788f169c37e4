// A security token service for the checks: an id_token of the authorization server for a token of its own (RFC 8693), or
// for AWS keys (AssumeRoleWithWebIdentity), which it knows again when a request is signed with them (GetCallerIdentity).
//
//   node token-service.mjs --cert FILE --key FILE --issuer URL --client-id ID --log FILE
//
// The first line on stdout is `port N`. Each exchange becomes one line of the log: SUBJECT STATUS AUDIENCE TYPE; for AWS,
// the role and `aws`. Only the key's name in a signature is looked at.
import { randomBytes } from 'node:crypto';
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
const holders = new Map(); // an AWS key's name, and who has it

/** AWS's answers, in XML; undefined for what is no question of AWS. */
async function aws(form, authorization = '') {
  if (form.get('Action') === 'GetCallerIdentity') {
    const holder = holders.get(/Credential=(\w+)\//.exec(authorization)?.[1]);
    if (!holder) return [403, '<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>'];
    const arn = `arn:aws:sts::123456789012:assumed-role/check/${holder}`;
    return [200, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>${arn}</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`];
  }
  if (form.get('Action') !== 'AssumeRoleWithWebIdentity') return undefined;
  const subject = await subjectOfIdToken(args.issuer, args['client-id'], form.get('WebIdentityToken') ?? '');
  appendFileSync(args.log, `${subject ?? '-'} ${subject ? 200 : 403} ${form.get('RoleArn')} aws\n`);
  if (!subject) return [403, '<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>'];
  const key = `ASIA${randomBytes(8).toString('hex').toUpperCase()}`;
  holders.set(key, subject);
  const end = new Date(Date.now() + Number(form.get('DurationSeconds')) * 1000).toISOString();
  const keys = `<AccessKeyId>${key}</AccessKeyId><SecretAccessKey>${randomBytes(30).toString('base64')}</SecretAccessKey>`
    + `<SessionToken>${randomBytes(60).toString('base64')}</SessionToken><Expiration>${end}</Expiration>`;
  return [200, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>${keys}</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`];
}

const server = createServer({ cert: readFileSync(args.cert), key: readFileSync(args.key) }, async (req, res) => {
  let body = '';
  for await (const piece of req) body += piece;
  const form = new URLSearchParams(body);
  const answered = await aws(form, req.headers.authorization);
  if (answered) return void res.writeHead(answered[0], { 'Content-Type': 'text/xml' }).end(answered[1]);
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
