// Reads bodies as programs do that do not look at the Content-Type. See ../README.md.
'use strict';
const path = require('path');
const vm = require('vm');
const querystring = require('querystring');
const qs = require(path.join(process.env.BYLINE_NODE_MODULES, 'qs'));

function* pairs(value, name = '') {
  if (value !== null && typeof value === 'object') {
    for (const key of Object.keys(value)) yield* pairs(value[key], Array.isArray(value) ? name : key);
  } else if (typeof value === 'string' || typeof value === 'number') {
    yield [name, String(value)];
  }
}

const readers = {
  json: (text) => pairs(JSON.parse(text)),
  querystring: (text) => pairs(querystring.parse(text)),
  qs: (text) => pairs(qs.parse(text, { depth: 0 })),
  // What JSON5, Hjson and the like read is part of what JavaScript itself reads.
  literal: (text) => !/^[\s\ufeff]*[{[/]/.test(text) ? [] : pairs(vm.runInNewContext('(' + text + '\n)', Object.create(null), { timeout: 100 })),
};

require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const text = Buffer.from(JSON.parse(line).body, 'hex').toString('utf8');
  const answer = {};
  for (const [name, read] of Object.entries(readers)) {
    try {
      answer[name] = [...read(text)];
    } catch (error) {
      continue; // a reader that refuses the body reads nothing in it
    }
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
});
