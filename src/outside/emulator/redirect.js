// Leads connections to 169.254.169.254 to fnscaffold's metadata service: required before the
// function, and before every Node.js program that the function starts.
"use strict";

const fs = require("fs");
const net = require("net");
const path = require("path");

const ADDRESS = /^(::ffff:)?169\.254\.169\.254$/i;
const port = Number(fs.readFileSync(path.join(__dirname, "port"), "utf8"));
const connect = net.Socket.prototype.connect;

/** Options of a connection that goes to the address, or nothing. */
function redirected(options) {
  const host = options.host || options.hostname;
  return ADDRESS.test(host) ? Object.assign({}, options, { host: "127.0.0.1", port, family: 4, lookup: undefined }) : null;
}

// http, https, fetch and every client built on them end here.
net.Socket.prototype.connect = function (...args) {
  const first = args[0];
  if (Array.isArray(first)) {
    // What net.connect() has read already: [options, listener], marked by a symbol.
    const options = first[0] && redirected(first[0]);
    if (options) first[0] = options;
  } else if (first !== null && typeof first === "object") {
    const options = redirected(first);
    if (options) args[0] = options;
  } else if (typeof args[1] === "string" && ADDRESS.test(args[1])) {
    args[0] = port;
    args[1] = "127.0.0.1";
  }
  return connect.apply(this, args);
};

/** Options of a worker that requires this file too: a thread has prototypes of its own. */
function led(options, execArgv) {
  return Object.assign({}, options, { execArgv: ["--require", __filename].concat(execArgv) });
}

/** A worker takes on the flags of its thread, unless it is given others. */
function construct(Worker, [file, options, ...rest], target) {
  const start = (options) => Reflect.construct(Worker, [file, options, ...rest], target);
  const given = options === undefined || options === null ? undefined : options.execArgv;
  // What Node.js refuses, it shall refuse by itself.
  if (options === null || (given !== undefined && !Array.isArray(given))) return start(options);
  if (given !== undefined) return start(led(options, given));
  try {
    return start(led(options, process.execArgv));
  } catch (error) {
    if (!error || error.code !== "ERR_WORKER_INVALID_EXEC_ARGV") throw error;
    // Flags of the whole process, which count in its threads anyway.
    return start(led(options, []));
  }
}

try {
  const threads = require("worker_threads");
  threads.Worker = new Proxy(threads.Worker, { construct });
  const { syncBuiltinESMExports } = require("module");
  if (syncBuiltinESMExports) syncBuiltinESMExports();
} catch (error) {
  // The oldest versions have no threads.
  if (error.code !== "MODULE_NOT_FOUND") throw error;
}
