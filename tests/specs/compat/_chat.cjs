#!/usr/bin/env duplex
const { createServer } = require("http");
const { name } = require("./_data.json");
const helper = require("./_helper");

const server = createServer((_request, response) =>
  response.end(helper.greet(name))
);
undeclared = "sloppy";

module.exports = {
  server,
  path: __filename,
  isMain: require.main === module,
};
