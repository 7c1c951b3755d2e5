// Loads an entry point as the platform does, calls it once, and writes what came of it to a file:
// node call.js DIRECTORY ENTRYPOINT CONTEXT RESULT PORT
//
// The metadata service's address leads to PORT on this machine, and every other address to nowhere.
"use strict";

const fs = require("fs");
const net = require("net");
const path = require("path");

const [directory, entrypoint, context, resultFile, port] = process.argv.slice(2);

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...parameters) {
  const options = Array.isArray(parameters[0]) ? parameters[0][0] : parameters[0];
  if ((options.host || options.hostname) !== "169.254.169.254" || Number(options.port) !== 80) {
    throw new Error(`the handler asked for ${options.host}:${options.port}`);
  }
  Object.assign(options, { host: "127.0.0.1", hostname: "127.0.0.1", port: Number(port) });
  return connect.apply(this, parameters);
};

process.chdir(directory);
const [file, name] = entrypoint.split(".", 2);
const handler = require(path.join(directory, file))[name];
if (typeof handler !== "function") {
  throw new Error(`${entrypoint} is no function`);
}

const began = process.hrtime.bigint();
const event = { httpMethod: "GET", headers: {}, queryStringParameters: {}, body: "", isBase64Encoded: false };
Promise.resolve(handler(event, JSON.parse(context))).then((answer) => {
  const milliseconds = Number(process.hrtime.bigint() - began) / 1e6;
  fs.writeFileSync(resultFile, JSON.stringify({ milliseconds, answer }));
  // What the handler left open would keep the process alive.
  process.exit(0);
});
