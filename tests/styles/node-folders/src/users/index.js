const users = new Map([["1", { name: "Ada" }]]);

exports.find = async (id) => users.get(id) || null;
