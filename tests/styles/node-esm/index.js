import { greet } from "./lib/greet.js";

export const handler = async (event, context) => ({
  statusCode: 200,
  body: greet(event.queryStringParameters?.name ?? "world"),
});
