const items = new Map();

exports.create = async (event, context) => {
  items.set(context.requestId, event.body);
  return { statusCode: 200, body: context.requestId };
};

exports.list = async (event, context) => ({ statusCode: 200, body: JSON.stringify([...items.keys()]) });

exports.remove = async function (event, context) {
  items.delete(event.queryStringParameters.id);
  return { statusCode: 200 };
};
