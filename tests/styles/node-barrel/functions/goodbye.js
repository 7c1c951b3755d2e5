exports.handler = async (event, context) => ({ statusCode: 200, body: "Goodbye!" });
