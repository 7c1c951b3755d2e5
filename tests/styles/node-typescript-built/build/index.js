"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.handler = void 0;
const greet_1 = require("./greet");
const handler = async (event) => {
    return { statusCode: 200, body: (0, greet_1.greet)(event.queryStringParameters?.name ?? "world") };
};
exports.handler = handler;
