// A mail server of the checks: it takes mail from whoever signs in with a token that the authorization server confirms, by
// XOAUTH2 or OAUTHBEARER (RFC 7628), or in the place of the password, by PLAIN or LOGIN.
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

const asks = { XOAUTH2: [''], OAUTHBEARER: [''], PLAIN: [''], LOGIN: ['Username:', 'Password:'] };

/** The user and the token in the responses of a mechanism. */
function presented(mechanism, responses) {
  const texts = responses.map((response) => Buffer.from(response, 'base64').toString());
  if (mechanism === 'LOGIN') return texts;
  if (mechanism === 'PLAIN') return texts[0].split('\0').slice(1);
  const parts = texts[0].split('\u0001');
  if (parts.at(-1) !== '' || parts.at(-2) !== '') return [];
  const token = parts.find((part) => part.startsWith('auth=Bearer '))?.slice('auth=Bearer '.length);
  return [/^(?:user=|n,a=)([^,]*),?$/.exec(parts[0])?.[1], token];
}

async function known(mechanism, responses) {
  const [user, token] = presented(mechanism, responses);
  const subject = user && token && (await subjectOfAccessToken(args.issuer, token).catch(() => undefined));
  appendFileSync(args.log, `${mechanism} ${user ?? '-'} ${subject || '-'} ${subject ? 235 : 535}\n`);
  return subject;
}

const server = createServer(async (socket) => {
  const say = (line) => socket.write(`${line}\r\n`);
  let [subject, inMail, mechanism, responses] = [undefined, false, undefined, []];
  socket.on('error', () => {});
  say('220 check');
  for await (const line of createInterface({ input: socket, crlfDelay: Infinity })) {
    const [verb, ...rest] = line.split(' ');
    if (inMail) {
      if (line !== '.') { appendFileSync(args.mail, `${line}\n`); continue; }
      inMail = false;
      say('250 taken');
    } else if (mechanism || verb.toUpperCase() === 'AUTH') {
      responses.push(...(mechanism ? [line] : rest.slice(1)));
      mechanism ??= rest[0];
      const next = asks[mechanism]?.[responses.length];
      if (next !== undefined) { say(`334 ${Buffer.from(next).toString('base64')}`); continue; }
      subject = asks[mechanism] && (await known(mechanism, responses));
      [mechanism, responses] = [undefined, []];
      say(subject ? '235 welcome' : '535 who are you');
    } else if (verb.toUpperCase() === 'EHLO') {
      say('250-check');
      say('250 AUTH XOAUTH2 OAUTHBEARER PLAIN LOGIN');
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
