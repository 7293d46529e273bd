// What the form parsers of Node read. See ../README.md. The modules are found in the
// folder that BYLINE_NODE_MODULES names.
'use strict';

const { createRequire } = require('module');
const { Readable, Writable } = require('stream');
const querystring = require('querystring');

const load = createRequire(process.env.BYLINE_NODE_MODULES + '/');
const busboy = load('busboy');
const multer = load('multer');
const multiparty = load('multiparty');
const qs = load('qs');

const hexed = (text) => Buffer.from(text ?? '').toString('hex');

// incoming is a request as http.createServer gives one.
function incoming({ contentType, query, body }) {
  const request = Readable.from(body.length ? [body] : []);
  request.headers = { 'content-type': contentType, 'content-length': String(body.length) };
  request.method = 'POST';
  request.url = '/?' + query;
  return request;
}

function read(stream) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => resolve(Buffer.concat(chunks)));
    stream.on('error', reject);
  });
}

function readBusboy(r) {
  return new Promise((resolve, reject) => {
    const fields = [], files = [], pending = [];
    const parser = busboy({ headers: incoming(r).headers, defParamCharset: 'utf8', preservePath: true, limits: { fieldNameSize: 1 << 20 } });
    parser.on('field', (name, value) => fields.push([name, value]));
    parser.on('file', (name, stream, info) => {
      const entry = [name, info.filename, info.mimeType, ''];
      files.push(entry);
      stream.on('error', () => {});
      pending.push(read(stream).then((content) => { entry[3] = content; }));
    });
    parser.on('error', reject);
    parser.on('close', () => Promise.all(pending).then(() => resolve({ fields, files }), reject));
    parser.end(r.body);
  });
}

function readMulter(r) {
  return new Promise((resolve, reject) => {
    const request = incoming(r);
    const upload = multer({ storage: multer.memoryStorage(), preservePath: true, defParamCharset: 'utf8' }).any();
    upload(request, {}, (err) => {
      if (err) return reject(err);
      const fields = [];
      // append-field nests names with brackets: undone here as far as the test generates them
      const walk = (name, value) => {
        if (Array.isArray(value)) value.forEach((v) => walk(name, v));
        else if (value !== null && typeof value === 'object') Object.keys(value).forEach((k) => walk(`${name}[${k}]`, value[k]));
        else fields.push([name, value]);
      };
      Object.keys(request.body || {}).forEach((name) => walk(name, request.body[name]));
      resolve({ fields, files: (request.files || []).map((f) => [f.fieldname, f.originalname, f.mimetype, f.buffer]) });
    });
  });
}

function readMultiparty(r) {
  return new Promise((resolve, reject) => {
    const fields = [], files = [], pending = [];
    const form = new multiparty.Form({ maxFields: Infinity });
    form.on('part', (part) => {
      const entry = part.filename === undefined ? [part.name, ''] : [part.name, part.filename, part.headers['content-type'], ''];
      (part.filename === undefined ? fields : files).push(entry);
      part.on('error', () => {});
      pending.push(read(part).then((content) => { entry[entry.length - 1] = content; }));
    });
    form.on('error', reject);
    form.on('close', () => Promise.all(pending).then(() => resolve({ fields, files }), reject));
    form.parse(incoming(r));
  });
}

async function makeReadFormidable() {
  const { formidable } = await import(load.resolve('formidable'));
  return async function readFormidable(r) {
    const fields = [], files = [];
    const form = formidable({
      allowEmptyFiles: true, minFileSize: 0, maxFields: Infinity, maxFiles: Infinity,
      fileWriteStreamHandler: (file) => {
        const chunks = [];
        file.chunks = chunks;
        return new Writable({ write(chunk, _, done) { chunks.push(chunk); done(); } });
      },
    });
    form.on('field', (name, value) => fields.push([name, value]));
    form.on('file', (name, file) => files.push([name, file.originalFilename, file.mimetype, Buffer.concat(file.chunks)]));
    await form.parse(incoming(r));
    return { fields, files };
  };
}

// readFetch is the FormData of the Fetch standard, as Node has it.
async function readFetch(r) {
  const form = await new Response(r.body, { headers: { 'content-type': r.contentType } }).formData();
  const fields = [], files = [];
  for (const [name, value] of form) {
    if (typeof value === 'string') fields.push([name, value]);
    else files.push([name, value.name, value.type, Buffer.from(await value.arrayBuffer())]);
  }
  return { fields, files };
}

const bodyText = (r) => r.body.toString('latin1');
const flat = (object) => Object.entries(object).flatMap(([n, v]) => [v].flat().map((one) => [n, one]));
const qsOptions = { depth: 0, parameterLimit: Infinity, arrayLimit: Infinity, plainObjects: true, allowPrototypes: true };

const urlencodedReaders = {
  'URLSearchParams': async (r) => ({ query: [...new URLSearchParams(r.query)], fields: [...new URLSearchParams(bodyText(r))] }),
  'querystring': async (r) => ({ query: flat(querystring.parse(r.query, '&', '=', { maxKeys: 0 })), fields: flat(querystring.parse(bodyText(r), '&', '=', { maxKeys: 0 })) }),
  'qs': async (r) => ({ query: flat(qs.parse(r.query, qsOptions)), fields: flat(qs.parse(bodyText(r), qsOptions)) }),
  'busboy': readBusboy,
};

async function answer(r, multipartReaders) {
  if (r.contentType.includes('xml')) return {};
  if (r.contentType.includes('json')) {
    try {
      return { 'JSON.parse': { tree: hexed(JSON.stringify(JSON.parse(r.body.toString('utf8')))) } };
    } catch (e) {
      return { 'JSON.parse': { error: String(e) } };
    }
  }

  const answers = {};
  const readers = r.contentType.startsWith('multipart/') ? multipartReaders : urlencodedReaders;
  for (const [name, reader] of Object.entries(readers)) {
    try {
      const result = await withinTurns(reader(r));
      const entries = (list) => (list || []).map((entry) => entry.map(hexed));
      answers[name] = { query: entries(result.query), fields: entries(result.fields), files: entries(result.files) };
    } catch (e) {
      answers[name] = { error: String(e) };
    }
  }
  return answers;
}

// withinTurns gives up on a parser that waits for more, as some do for ever. All it is
// given lies in memory: it has read it after a few turns of the event loop, however
// slow the machine is.
function withinTurns(result) {
  return new Promise((resolve, reject) => {
    let turns = 5000;
    const turn = () => (turns-- > 0 ? setImmediate(turn) : reject(new Error('no answer')));
    result.then((r) => { turns = 0; resolve(r); }, (e) => { turns = 0; reject(e); });
    turn();
  });
}

process.on('uncaughtException', () => {});
process.on('unhandledRejection', () => {});

async function main() {
  await (await makeReadFormidable())({ contentType: 'multipart/form-data; boundary=b', query: '', body: Buffer.from('--b--') }).catch(() => {}); // which loads more from the disk
  const multipartReaders = {
    'busboy': readBusboy, 'multer': readMulter, 'multiparty': readMultiparty, 'formidable': await makeReadFormidable(), 'node fetch': readFetch,
  };
  let waiting = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    waiting = Buffer.concat([waiting, chunk]);
    for (;;) {
      const texts = [];
      let at = 0;
      while (texts.length < 3 && waiting.length >= at + 4 && waiting.length >= at + 4 + waiting.readUInt32BE(at)) {
        const length = waiting.readUInt32BE(at);
        texts.push(waiting.subarray(at + 4, at + 4 + length));
        at += 4 + length;
      }
      if (texts.length < 3) break;
      waiting = waiting.subarray(at);
      const request = { contentType: texts[0].toString('latin1'), query: texts[1].toString('latin1'), body: texts[2] };
      process.stdout.write(JSON.stringify(await answer(request, multipartReaders)) + '\n');
    }
  }
  process.exit(0);
}

main();
