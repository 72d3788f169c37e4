// What coding agents talk to: a model that greets whoever asks by name, and a server of tools (MCP) that has none. Open only
// to tokens that the authorization server confirms.
//
//   node model-host.mjs --issuer URL --log FILE
//
// The first line on stdout is `port N`. As much of each protocol as one short question needs: POST /v1/responses (Codex),
// POST /v1/messages (Claude Code), POST /mcp. Each request becomes one line of the log: FORM SUBJECT STATUS METHOD PATH.
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { presented, subjectOfAccessToken } from './confirm.mjs';

const { values: args } = parseArgs({ options: { issuer: { type: 'string' }, log: { type: 'string' } } });

const stream = (events) => events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');

function responses(text) {
  const item = { type: 'message', role: 'assistant', id: 'm1', content: [{ type: 'output_text', text }] };
  const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2, input_tokens_details: null, output_tokens_details: null };
  return stream([
    { type: 'response.created', response: { id: 'r1' } },
    { type: 'response.output_item.done', item },
    { type: 'response.completed', response: { id: 'r1', usage } },
  ]);
}

function messages(text, { stream: streamed, model }) {
  const whole = {
    id: 'm1', type: 'message', role: 'assistant', model, content: [{ type: 'text', text }],
    stop_reason: 'end_turn', stop_sequence: null, usage: { input_tokens: 1, output_tokens: 1 },
  };
  if (!streamed) return JSON.stringify(whole);
  return stream([
    { type: 'message_start', message: { ...whole, content: [], stop_reason: null } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 1 } },
    { type: 'message_stop' },
  ]);
}

/** Status and body for one JSON-RPC message. */
function tools({ id, method, params }) {
  const results = {
    initialize: { protocolVersion: params?.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'check', version: '1' } },
    'tools/list': { tools: [] },
  };
  if (id === undefined) return [202, ''];
  if (results[method]) return [200, JSON.stringify({ jsonrpc: '2.0', id, result: results[method] })];
  return [200, JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'no such method' } })];
}

function answer(method, path, body, subject) {
  const greeting = `hallo ${subject}`;
  const events = { 'Content-Type': 'text/event-stream' };
  const json = { 'Content-Type': 'application/json' };
  const asked = method === 'POST' ? JSON.parse(body) : {};
  switch (`${method} ${path}`) {
    case 'GET /v1/models': return [200, '{"models":[]}', json];
    case 'POST /v1/responses': return [200, responses(greeting), events];
    case 'POST /v1/messages': return [200, messages(greeting, asked), asked.stream ? events : json];
    case 'POST /mcp': return [...tools(asked), json];
    default: return [404, '{}', json];
  }
}

const server = createServer(async (req, res) => {
  const { pathname } = new URL(req.url, 'http://127.0.0.1');
  let body = '';
  for await (const piece of req) body += piece;
  const { form, token } = presented(req.headers.authorization);
  const subject = form === 'bearer' ? await subjectOfAccessToken(args.issuer, token).catch(() => undefined) : undefined;
  const refused = [401, '{"type":"error","error":{"type":"authentication_error","message":"who are you"}}', {}];
  const [status, said, headers] = subject ? answer(req.method, pathname, body, subject) : refused;
  appendFileSync(args.log, `${form} ${subject ?? '-'} ${status} ${req.method} ${pathname}\n`);
  res.writeHead(status, headers).end(said);
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
