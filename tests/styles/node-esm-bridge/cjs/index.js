exports.handler = async function (event, context) {
  const { handler } = await import("../index.js");
  return handler(event, context);
};
