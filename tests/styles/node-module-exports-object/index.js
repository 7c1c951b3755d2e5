const { greeting } = require("./greeting.json");

function greet(name) {
  return `${greeting}, ${name}!`;
}

async function handler(event) {
  return { statusCode: 200, body: greet(event.queryStringParameters.name) };
}

module.exports = { handler, greet };
