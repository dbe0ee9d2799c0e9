#!/usr/bin/env duplex
const WebSocket = require("ws");
const { createServer } = require("http");
const { name } = require("./_data.json");
const helper = require("./_helper");

const server = createServer((_request, response) => response.end(name));
const wss = new WebSocket.Server({ server });
wss.on("connection", (socket) => {
  socket.send(helper.greet(name));
  socket.on("message", (message) => socket.send(`got: ${message}`));
});
undeclared = "sloppy";

module.exports = {
  server,
  wss,
  path: __filename,
  isMain: require.main === module,
};
