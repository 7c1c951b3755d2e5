exports.hello = async (event, context) => ({ statusCode: 200, body: "Hello!" });
