const { Driver } = require("ydb-sdk");

exports.handler = async (event, context) => {
  return { statusCode: 200, body: typeof Driver };
};
