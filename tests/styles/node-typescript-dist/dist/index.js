"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.handler = handler;
async function handler(event) {
    return { statusCode: 200, body: "Hello!" };
}
