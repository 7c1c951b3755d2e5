module.exports = {
  ...require("./functions/hello"),
  goodbye: require("./functions/goodbye").handler,
};
