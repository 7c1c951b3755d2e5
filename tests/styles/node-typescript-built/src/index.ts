import { greet } from "./greet";

interface Event {
  queryStringParameters?: Record<string, string>;
}

export const handler = async (event: Event): Promise<{ statusCode: number; body: string }> => {
  return { statusCode: 200, body: greet(event.queryStringParameters?.name ?? "world") };
};
