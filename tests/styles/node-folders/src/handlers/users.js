const { find } = require("../users");

module.exports.get = async function (event, context) {
  const user = await find(event.queryStringParameters.id);
  return { statusCode: 200, body: JSON.stringify(user) };
};
