module.exports = function middy(handler) {
  const before = [];
  const wrapped = async (event, context) => {
    for (const middleware of before) await middleware(event, context);
    return handler(event, context);
  };
  wrapped.use = (middleware) => {
    before.push(middleware.before);
    return wrapped;
  };
  return wrapped;
};
