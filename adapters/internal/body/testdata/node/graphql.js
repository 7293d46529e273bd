// Reads GraphQL documents with graphql-js, the reference implementation. Its standard input has one document a line, as
// JSON; for each it answers a line with {"print": …}, the document as graphql-js prints it, or {"error": …}.
'use strict';
const path = require('path');
const { parse, print, visit } = require(path.join(process.env.BYLINE_NODE_MODULES, 'graphql'));

require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  let answer;
  try {
    // A block string is a string like any other to the application.
    const document = visit(parse(JSON.parse(line)), { StringValue: (node) => ({ ...node, block: false }) });
    answer = { print: print(document) };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
});
