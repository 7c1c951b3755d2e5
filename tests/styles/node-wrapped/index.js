const middy = require("./lib/middy");
const jsonBody = require("./lib/json-body");

const hello = async (event, context) => {
  return { statusCode: 200, body: "Hello!" };
};

exports.handler = middy(hello).use(jsonBody());
