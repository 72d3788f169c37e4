// The person in front of the browser: takes hold of a running Chromium by its debugging port, does one thing, says what
// was seen (a line `NAME: VALUE` each), takes pictures, and lets go. The browser stays open until `leave`.
//
//   node person.mjs --modules DIR --profile DIR --pictures DIR --opened URL WHAT
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values: args, positionals: [what] } = parseArgs({
  allowPositionals: true,
  options: {
    modules: { type: 'string' },
    profile: { type: 'string' }, // --user-data-dir of the browser
    pictures: { type: 'string' },
    opened: { type: 'string' }, // what the browser was started with
  },
});
const { chromium } = createRequire(resolve(args.modules, 'package.json'))('playwright-core');

const fact = (name, value) => console.log(`${name}: ${String(value).replace(/\s+/g, ' ').trim()}`);
const opened = new URL(args.opened);
const server = opened.origin;
const redirect = opened.searchParams.get('redirect_uri'); // none in the device flow

async function takeHold() {
  const file = join(args.profile, 'DevToolsActivePort');
  for (let i = 0; i < 300 && !existsSync(file); i += 1) await sleep(100);
  await sleep(100); // it is written in two lines
  return chromium.connectOverCDP(`http://127.0.0.1:${readFileSync(file, 'utf8').split('\n')[0]}`);
}

const browser = await takeHold();
const [context] = browser.contexts();
const [page] = context.pages();
page.setDefaultTimeout(20_000);
const words = (of) => of.locator('body').innerText();
const picture = (of, name) => of.screenshot({ path: join(args.pictures, `${name}.png`) });

/** Light and dark, wide and as narrow as a small phone. */
async function pictures(of, name) {
  await of.bringToFront(); // a tab behind another is not painted
  for (const colorScheme of ['light', 'dark']) {
    await of.emulateMedia({ colorScheme });
    for (const [shape, width, height] of [['wide', 1000, 600], ['narrow', 320, 480]]) {
      await of.setViewportSize({ width, height });
      await picture(of, `${name}-${colorScheme}-${shape}`);
      const spill = await of.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (spill > 0) fact('too wide', `${name}-${shape} by ${spill}`);
    }
  }
}

/** Opens an address by hand; what is to be seen there, or why there is nothing. */
async function visit(tab, url) {
  try {
    const answer = await tab.goto(url);
    return `${answer.status()} ${await words(tab)}`;
  } catch (error) {
    return error.message.match(/net::(\w+)/)?.[1] ?? error.message;
  }
}

async function signIn() {
  await page.getByPlaceholder('Enter any login').fill('alice');
  await page.getByPlaceholder('and password').fill('password');
  await page.getByRole('button', { name: 'Sign-in' }).click();
}
const consent = () => page.getByRole('button', { name: 'Continue' }).click();

/** Another page of the browser, while the sign-in waits. */
async function disturb() {
  const tab = await context.newPage();
  fact('wrong state', await visit(tab, `${redirect}?code=x&state=wrong`));
  await pictures(tab, 'wrong-state');
  fact('without anything', await visit(tab, redirect));
  fact('the root', await visit(tab, new URL('/', redirect).href));
  fact('the icon', await visit(tab, new URL('/favicon.ico', redirect).href));
  await tab.close();
  const ahead = page.waitForResponse((answer) => answer.url().endsWith('state=ahead'));
  await page.evaluate((href) => {
    document.head.append(Object.assign(document.createElement('link'), { rel: 'prefetch', href }));
  }, `${redirect}?code=x&state=ahead`);
  const answer = await ahead;
  fact('prefetch', `${answer.status()} ${JSON.stringify(await answer.request().allHeaders())}`);
  const script = await page.evaluate((url) => fetch(url).then((got) => got.status, (why) => why.name), `${redirect}?a`);
  fact('a script of another page', script);
}

const acts = {
  async grant() {
    await signIn();
    await page.getByRole('button', { name: 'Continue' }).waitFor();
    await picture(page, 'consent');
    await disturb();
    // While the code is traded, the same address once more in another tab.
    const tab = await context.newPage();
    const twice = page.waitForRequest((request) => request.url().startsWith(redirect)).then(async (request) => {
      await sleep(300);
      fact('the same address in another tab', await visit(tab, request.url()));
    });
    const requests = [];
    const seen = new Promise((done) => {
      page.on('response', (answer) => answer.url().startsWith(redirect) && done(answer));
    });
    page.on('request', (request) => requests.push(request.url()));
    await consent();
    const answer = await seen;
    await page.waitForLoadState('networkidle');
    fact('result', `${answer.status()} ${await words(page)}`);
    fact('title', await page.title());
    fact('headers', JSON.stringify(await answer.allHeaders()));
    fact('address', page.url());
    fact('language', await page.evaluate(() => document.documentElement.lang));
    const from = requests.findIndex((url) => url.startsWith(redirect));
    fact('requests from the result page on', requests.slice(from).map((url) => url.split('?')[0]).join(' '));
    fact('kept by the page', await page.evaluate(() => document.cookie.length + localStorage.length));
    await pictures(page, 'signed-in');
    await twice;
    await tab.close();
  },
  async again() { // what became of the page of an earlier sign-in
    for (let tries = 5; ; tries -= 1) {
      const answer = await page.reload().catch((error) => error.message.match(/net::(\w+)/)?.[1] ?? error.message);
      // Chromium reloads a page that met nobody by itself, and may have just begun to.
      if (answer === 'ERR_ABORTED' && tries > 0) continue;
      return fact('reload', answer.status ? `${answer.status()} ${await words(page)}` : answer);
    }
  },
  async deny() {
    await signIn();
    await page.getByRole('button', { name: 'Continue' }).waitFor();
    const seen = page.waitForResponse((answer) => answer.url().startsWith(redirect));
    await page.getByRole('link', { name: 'Cancel' }).click();
    fact('result', `${(await seen).status()} ${await words(page)}`);
    await pictures(page, 'not-signed-in');
  },
  async look() { // at the page where everything has ended without a question
    await page.getByRole('heading').waitFor();
    fact('result', await words(page));
    fact('address', page.url());
    await pictures(page, 'linked');
  },
  async confirm() {
    const code = page.locator('code');
    await code.waitFor();
    fact('code', await code.innerText());
    await picture(page, 'device-code');
    await consent();
    await signIn();
    await consent();
    await page.getByText('Sign-in Success').waitFor();
    await picture(page, 'device-done');
  },
  async refuse() {
    await page.getByRole('button', { name: 'Abort' }).or(page.getByRole('link', { name: 'Abort' })).click();
    await page.waitForLoadState();
    fact('result', await words(page));
  },
  async leave() {
    await (await browser.newBrowserCDPSession()).send('Browser.close');
  },
};

try {
  await acts[what]();
} catch (error) {
  await picture(page, `failed-${what}`).catch(() => {});
  throw error;
}
process.exit(0); // without closing what others started
