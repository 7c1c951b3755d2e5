// Runs inside the interpreter: loads the function as the platform does, calls it for fnscaffold, and
// ends when fnscaffold does. Node.js 10 and newer.
//
// Messages are JSON, one a line, over a socket of its own: standard output and error are the function's.
"use strict";

const net = require("net");
const path = require("path");
const url = require("url");

const address = process.env.FNSCAFFOLD_CONTROL;
const secret = process.env.FNSCAFFOLD_SECRET;
delete process.env.FNSCAFFOLD_CONTROL;
delete process.env.FNSCAFFOLD_SECRET;

const redirect = path.join(__dirname, "preload", "redirect.js");

// A socket's path, or a port of this machine and the secret that opens it.
const socket = secret ? net.connect(Number(address), "127.0.0.1") : net.connect(address);
socket.setEncoding("utf8");
if (secret) socket.write(secret + "\n");
// Nothing of the function outlives fnscaffold; handlers of `exit` are not asked.
socket.on("close", () => process.kill(process.pid, "SIGKILL"));
socket.on("error", () => process.kill(process.pid, "SIGKILL"));

// A line is written before the next step is taken, so that none is lost when the process ends.
for (const name of ["stdout", "stderr"]) {
  const original = Object.getOwnPropertyDescriptor(process, name);
  Object.defineProperty(process, name, Object.assign({}, original, {
    get() {
      const stream = original.get.call(process);
      Object.defineProperty(process, name, original);
      if (stream._handle && stream._handle.setBlocking) stream._handle.setBlocking(true);
      return stream;
    },
  }));
}

let pieces = [];
/** The message whose event is the next line. */
let waiting = null;
socket.on("data", (text) => {
  let start = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
    let line = text.slice(start, end);
    start = end + 1;
    if (pieces.length > 0) {
      pieces.push(line);
      line = pieces.join("");
      pieces = [];
    }
    receive(line);
  }
  if (start < text.length) pieces.push(text.slice(start));
});

function send(message) {
  socket.write(JSON.stringify(message) + "\n");
}

let settings;
let handler;
/** Which call is running, where there may be several at once. */
let running = null;
/** Calls that have no answer yet, by number. */
const pending = new Map();

function receive(line) {
  if (waiting !== null) {
    const message = waiting;
    waiting = null;
    return call(message, line);
  }
  const message = JSON.parse(line);
  if (message.type === "call") {
    if (message.event === undefined) waiting = message;
    else call(message, message.event);
  } else {
    settings = message;
    start().then(
      () => send({ type: "ready", version: process.version }),
      (error) => send(telling({ type: "broken", problem: error && error.fnscaffold }, error))
    );
  }
}

async function start() {
  Object.assign(process.env, settings.environment);
  if (settings.redirect) lead();
  if (settings.signs) sign();
  process.chdir(settings.code);
  // The platform splits at dots and drops what follows the second piece.
  const parts = settings.entrypoint.split(".", 2);
  const name = parts[parts.length - 1];
  const file = parts.length === 2 ? path.join(settings.code, parts[0]) : settings.code;
  const exported = (await load(file))[name];
  if (exported === undefined) {
    throw problem("missing", "Can't find handler function " + name + " in " + file);
  }
  if (typeof exported !== "function") {
    throw problem("not-callable", "Handler " + name + " in " + file + " must be function");
  }
  handler = exported;
}

/** Lets what is written say which call wrote it. The oldest versions cannot tell. */
function sign() {
  const { AsyncLocalStorage } = require("async_hooks");
  if (!AsyncLocalStorage) return;
  running = new AsyncLocalStorage();
  for (const name of ["stdout", "stderr"]) {
    const stream = process[name];
    const write = stream.write;
    let last = "";
    stream.write = function () {
      const id = running.getStore() || "";
      if (id !== last) write.call(stream, "\0fnscaffold " + id + "\n");
      last = id;
      return write.apply(stream, arguments);
    };
  }
}

/** Leads the function, and what it starts, to the metadata service. */
function lead() {
  require(redirect);
  const preload = "--require " + (/[\s"]/.test(redirect) ? JSON.stringify(redirect) : redirect);
  process.env.NODE_OPTIONS = [preload, process.env.NODE_OPTIONS].filter(Boolean).join(" ");
  process.env.PYTHONPATH = [path.dirname(redirect), process.env.PYTHONPATH].filter(Boolean).join(path.delimiter);
}

async function load(file) {
  try {
    return require(file);
  } catch (error) {
    const asynchronous = error && (error.code === "ERR_REQUIRE_ESM" || error.code === "ERR_REQUIRE_ASYNC_MODULE");
    if (!asynchronous || !settings.modules) throw error;
    return import(url.pathToFileURL(require.resolve(file)).href);
  }
}

function problem(kind, message) {
  return Object.assign(new Error(shown(message)), { fnscaffold: kind });
}

function call(message, text) {
  const fail = (error) => {
    if (pending.delete(message.id)) send(telling({ type: "raised", id: message.id }, error));
  };
  const succeed = (result) => {
    let text;
    try {
      text = JSON.stringify(result);
    } catch (error) {
      return fail(error);
    }
    // `undefined` has no JSON: an empty answer.
    if (pending.delete(message.id)) socket.write('{"type":"answer","id":' + message.id + "}\n" + (text === undefined ? "" : text) + "\n");
  };
  pending.set(message.id, fail);
  try {
    const event = parse(text);
    const context = contextOf(message, event);
    const run = () => handler(event, context);
    const result = running ? running.run(message.request_id, run) : run();
    if (result instanceof Promise) {
      result.then(succeed, fail);
    } else if (result === undefined) {
      throw new Error("Non-async entry point should provide a result. Return a value or use async function instead.");
    } else {
      succeed(result);
    }
  } catch (error) {
    fail(error);
  }
}

/** An error that nobody caught belongs to the calls that are running; outside of a call it is only said. */
function uncaught(error) {
  if (pending.size === 0) {
    console.error(trace(error));
  }
  for (const fail of Array.from(pending.values())) fail(error);
}
process.on("uncaughtException", uncaught);
process.on("unhandledRejection", uncaught);

function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    return { payload: text };
  }
}

function contextOf(call, event) {
  const facts = settings.facts;
  const context = {
    awsRequestId: call.request_id,
    requestId: call.request_id,
    invokedFunctionArn: facts.function_id,
    functionName: facts.function_id,
    functionVersion: facts.version_id,
    functionFolderId: facts.folder_id,
    memoryLimitInMB: String(facts.memory),
    deadlineMs: call.deadline,
    logGroupName: "",
    uberTraceId: call.trace_id,
    _data: event,
    getRemainingTimeInMillis: () => call.deadline - Date.now(),
    getPayload: () => payloadOf(event),
  };
  // Each call has its own: a handler may change it.
  if (facts.token) context.token = Object.assign({}, facts.token);
  return context;
}

function payloadOf(event) {
  if (!event || !event.headers) return Buffer.alloc(0);
  const type = event.headers["Content-Type"];
  if (type === "application/json") return event.body === undefined ? {} : JSON.parse(event.body);
  const body = Buffer.from(event.body === undefined ? "" : event.body, event.isBase64Encoded ? "base64" : "utf8");
  if (type === "application/x-www-form-urlencoded") return require("querystring").parse(body.toString());
  return body;
}

/** A message that tells of the error. Anything can be thrown: what JSON cannot hold has none of the fields. */
function telling(message, error) {
  try {
    const whole = Object.assign({}, message, { text: trace(error) }, describe(error));
    JSON.stringify(whole);
    return whole;
  } catch (failure) {
    const text = require("util").inspect(error, { customInspect: false });
    return Object.assign({}, message, { text: "Uncaught " + text });
  }
}

/** The platform's form of an error. What is no error has none of the fields. */
function describe(error) {
  if (error === undefined || error === null) return {};
  return {
    errorMessage: typeof error.message === "string" ? shown(error.message) : error.message,
    errorType: error.name,
    stackTrace: typeof error.stack === "string" ? rows(error).map(frame) : undefined,
  };
}

/** Rows of the stack up to this file's, without the error's own text. */
function rows(error) {
  let stack = error.stack;
  const head = [error.name + ": " + error.message, String(error.message), String(error.name)];
  const found = head.find((text) => text && stack.startsWith(text));
  if (found) stack = stack.slice(found.length);
  const lines = stack.split("\n").filter((line) => line.trim() !== "");
  const end = lines.findIndex((line) => line.includes(__filename));
  return (end < 0 ? lines : lines.slice(0, end)).map(shown);
}

function frame(row) {
  const call = /^\s*at (?:(.*) \()?(.*?)(?::(\d+))?(?::(\d+))?\)?$/.exec(row);
  if (!call) return { line: row };
  const number = (text) => (text === undefined ? null : Number(text));
  return { function: call[1] || null, file: call[2] || null, line: number(call[3]), column: number(call[4]) };
}

/** The error as the interpreter tells it, without this file's rows. */
function trace(error) {
  if (!error || typeof error.stack !== "string") return "Uncaught " + require("util").inspect(error);
  const lines = error.stack.split("\n");
  const end = lines.findIndex((line) => line.startsWith("    at ") && line.includes(__filename));
  const kept = (end < 0 ? lines : lines.slice(0, end)).filter((line) => !/^(- |From )/.test(line) || !line.includes(__filename));
  return shown(kept.filter((line) => !/^    at .*\(?(node:)?internal\//.test(line)).join("\n"));
}

/** Text in which places are named as they are on the platform. */
function shown(text) {
  for (const place of settings ? settings.places : []) {
    text = text.split(url.pathToFileURL(place[0]).href).join("file://" + place[1]);
    text = text.split(place[0]).join(place[1]);
  }
  return text;
}
