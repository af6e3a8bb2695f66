// The official Node SDK against a front: sdk.cjs BASE_URL KEY, scenarios as
// JSON lines on standard input, one result line for each.
const OpenAI = require('openai');
const { toFile } = OpenAI;
const readline = require('readline');

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });

const file = (base64) => toFile(Buffer.from(base64, 'base64'), 'speech.mp3');

async function gathered(stream) {
  const events = [];
  for await (const e of stream) events.push(e);
  return { events };
}

const scenarios = {
  async chat(request) {
    const r = await client.chat.completions.create(request);
    return { text: r.choices[0].message.content, usage: r.usage };
  },
  async stream(request) {
    const stream = await client.chat.completions.create(
      { ...request, stream: true });
    let text = '', chunks = 0, finish = null;
    for await (const c of stream) {
      chunks++;
      text += c.choices[0]?.delta?.content ?? '';
      finish = c.choices[0]?.finish_reason ?? finish;
    }
    return { text, chunks, finish };
  },
  async tools(request) {
    const runner = client.chat.completions.stream(request);
    const r = await runner.finalChatCompletion();
    return { calls: r.choices[0].message.tool_calls
      .map((c) => [c.id, c.function.name, c.function.arguments]) };
  },
  async images(request) {
    const r = await client.images.generate(request);
    return { data: r.data, usage: r.usage };
  },
  async imageEdit({ base64, ...request }) {
    const r = await client.images.edit(
      { ...request, image: await Promise.all(base64.map(file)) });
    return { data: r.data, usage: r.usage };
  },
  async imageEditStream({ base64, ...request }) {
    return gathered(await client.images.edit({ ...request, stream: true,
      image: await Promise.all(base64.map(file)) }));
  },
  async speech(request) {
    const r = await client.audio.speech.create(request);
    const data = await r.arrayBuffer();
    return { bytes: data.byteLength, type: r.headers.get('content-type') };
  },
  async speechPieces(request) {
    const r = await client.audio.speech.create(request);
    let bytes = 0, pieces = 0, begun = 0;
    for await (const p of r.body) {
      begun ||= Date.now();
      pieces++;
      bytes += p.length;
    }
    return { bytes, pieces, ms: Date.now() - begun };
  },
  async transcription({ base64, ...request }) {
    return client.audio.transcriptions.create(
      { ...request, file: await file(base64) });
  },
  async transcriptionStream({ base64, ...request }) {
    return gathered(await client.audio.transcriptions.create(
      { ...request, file: await file(base64), stream: true }));
  },
  async translation({ base64, ...request }) {
    return client.audio.translations.create(
      { ...request, file: await file(base64) });
  },
  // All that is done with an answer that its provider keeps.
  async kept(request) {
    const made = await client.responses.create(request);
    const again = await client.responses.retrieve(made.id);
    const { events } = await gathered(
      await client.responses.retrieve(made.id, { stream: true }));
    const items = (await gathered(client.responses.inputItems.list(
      made.id, { limit: 2, order: 'asc' }))).events;
    await client.responses.delete(made.id);
    const gone = await client.responses.retrieve(made.id).catch((e) => e);
    return { made, again, events, items, gone: gone.status };
  },
  async cancelled(request) {
    const { events } = await gathered(await client.responses.create(
      { ...request, background: true, stream: true }));
    return client.responses.cancel(events[0].response.id);
  },
  async imageStream(request) {
    return gathered(await client.images.generate(
      { ...request, stream: true }));
  },
  async embeddings(request) {
    const r = await client.embeddings.create(request);
    return { data: r.data.map(({ embedding: v }) =>
      typeof v === 'string' ? v : Array.from(v)),
      usage: r.usage };
  },
  async moderations(request) {
    return client.moderations.create(request);
  },
  async batch({ lines, ...request }) {
    const input = await client.files.create({ purpose: 'batch',
      file: await toFile(Buffer.from(lines), 'in.jsonl') });
    const made = await client.batches.create(
      { ...request, input_file_id: input.id });
    const done = await client.batches.retrieve(made.id);
    const answers = await client.files.content(done.output_file_id);
    const ids = [];
    for await (const b of client.batches.list({ limit: 2 })) ids.push(b.id);
    return { made, done, ids, text: await answers.text() };
  },
  async models() {
    const ids = [];
    for await (const m of client.models.list()) ids.push(m.id);
    return { ids };
  },
};

async function run(line) {
  const { what, request } = JSON.parse(line);
  try {
    return await scenarios[what](request);
  } catch (e) {
    return { error: e.constructor.name, status: e.status, code: e.code,
      type: e.type, message: e.message };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin }))
    console.log(JSON.stringify(await run(line)));
})();
