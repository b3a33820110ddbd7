// Reads a JSON list of calls, makes them one after the other with the real Node SDKs, writes one JSON line for each.
//
// Calls whose client has the same options share the client, as they would in an app.
// A call is {sdk, options, headers, method, args}: the client's options, those of createHeaders (OpenAI only), the
// method's path, its arguments. {"$file": name, "base64": ...} anywhere in the arguments becomes an uploaded file.
// A stream's chunks are written as they come, each as {"chunk": ...}.

import process from 'node:process';
import { text } from 'node:stream/consumers';

import OpenAI, { toFile } from 'openai';
import { Portkey, createHeaders } from 'portkey-ai';

function write(line) {
  process.stdout.write(JSON.stringify(line) + '\n');
}

async function revive(value) {
  if (Array.isArray(value)) return Promise.all(value.map(revive));
  if (value === null || typeof value !== 'object') return value;
  if (value.$file) return toFile(Buffer.from(value.base64, 'base64'), value.$file, { type: 'image/png' });
  const entries = await Promise.all(Object.entries(value).map(async ([name, one]) => [name, await revive(one)]));
  return Object.fromEntries(entries);
}

const clients = new Map();

function open({ sdk, options, headers }) {
  const name = JSON.stringify([sdk, options, headers]);
  if (!clients.has(name)) {
    const portkey = sdk === 'portkey';
    clients.set(
      name,
      portkey ? new Portkey(options) : new OpenAI({ ...options, defaultHeaders: createHeaders(headers ?? {}) }),
    );
  }
  return clients.get(name);
}

async function make(call) {
  const client = open(call);
  const path = call.method.split('.');
  const holder = path.slice(0, -1).reduce((one, name) => one[name], client);
  const answer = await holder[path.at(-1)](...(await revive(call.args)));
  if (typeof answer?.[Symbol.asyncIterator] === 'function' && !answer.data) {
    for await (const chunk of answer) write({ chunk });
    return { ok: true };
  }
  return { ok: true, value: answer, headers: answer?.getHeaders?.() };
}

for (const call of JSON.parse(await text(process.stdin))) {
  try {
    write(await make(call));
  } catch (error) {
    write({ ok: false, error: error.constructor.name, status: error.status, code: error.code, message: error.message });
  }
}
