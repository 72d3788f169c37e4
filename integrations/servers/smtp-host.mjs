// A mail server of the checks: it takes mail from whoever signs in by XOAUTH2 or OAUTHBEARER (RFC 7628) with a token that
// the authorization server confirms.
//
//   node smtp-host.mjs --issuer URL --log FILE --mail FILE
//
// The first line on stdout is `port N`. Each sign-in becomes one line of the log: MECHANISM USER SUBJECT STATUS; what was
// taken is appended to the mail file.
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { subjectOfAccessToken } from './confirm.mjs';

const { values: args } = parseArgs({
  options: { issuer: { type: 'string' }, log: { type: 'string' }, mail: { type: 'string' } },
});

/** Who signs in, by the response of either mechanism. */
async function known(mechanism, response) {
  const parts = Buffer.from(response, 'base64').toString().split('\u0001');
  const token = parts.find((part) => part.startsWith('auth=Bearer '))?.slice('auth=Bearer '.length);
  const user = /^(?:user=|n,a=)([^,]*),?$/.exec(parts[0])?.[1];
  const whole = parts.at(-1) === '' && parts.at(-2) === '';
  const subject = whole && user && token && (await subjectOfAccessToken(args.issuer, token).catch(() => undefined));
  appendFileSync(args.log, `${mechanism} ${user ?? '-'} ${subject || '-'} ${subject ? 235 : 535}\n`);
  return subject;
}

const server = createServer(async (socket) => {
  const say = (line) => socket.write(`${line}\r\n`);
  let [subject, inMail, mechanism] = [undefined, false, undefined];
  socket.on('error', () => {});
  say('220 check');
  for await (const line of createInterface({ input: socket, crlfDelay: Infinity })) {
    const [verb, ...rest] = line.split(' ');
    if (inMail) {
      if (line !== '.') { appendFileSync(args.mail, `${line}\n`); continue; }
      inMail = false;
      say('250 taken');
    } else if (mechanism || verb.toUpperCase() === 'AUTH') {
      const [name, response] = mechanism ? [mechanism, line] : rest;
      mechanism = response ? undefined : name;
      if (mechanism) { say('334 '); continue; }
      subject = await known(name, response);
      say(subject ? '235 welcome' : '535 who are you');
    } else if (verb.toUpperCase() === 'EHLO') {
      say('250-check');
      say('250 AUTH XOAUTH2 OAUTHBEARER');
    } else if (verb.toUpperCase() === 'QUIT') {
      say('221 bye');
      socket.end();
    } else if (!subject) {
      say('530 sign in first');
    } else if (verb.toUpperCase() === 'DATA') {
      inMail = true;
      say('354 go on');
    } else {
      say('250 ok');
    }
  }
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
