// Every client that functions ask the metadata service with, each as its own documentation shows it.
const http = require("http");

const URL = "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token";
const headers = { "Metadata-Flavor": "Google" };

const clients = {
  http: () =>
    new Promise((resolve, reject) => {
      const request = http.get(URL, { headers }, (response) => {
        let body = "";
        response.on("data", (piece) => (body += piece)).on("end", () => resolve(JSON.parse(body).access_token));
      });
      request.on("error", reject);
    }),
  agent: () =>
    new Promise((resolve, reject) => {
      const options = { host: "169.254.169.254", path: new (require("url").URL)(URL).pathname, headers, agent: new http.Agent({ keepAlive: true }) };
      http.request(options, (response) => {
        let body = "";
        response.on("data", (piece) => (body += piece)).on("end", () => resolve(JSON.parse(body).access_token));
      }).on("error", reject).end();
    }),
  "node-fetch": async () => (await (await require("node-fetch")(URL, { headers })).json()).access_token,
  axios: async () => (await require("axios").get(URL, { headers })).data.access_token,
  sdk: async () => new (require("@yandex-cloud/nodejs-sdk").Session)().tokenCreator(),
};
if (typeof fetch === "function") {
  clients.fetch = async () => (await (await fetch(URL, { headers })).json()).access_token;
}

exports.main = async () => {
  const answers = {};
  for (const name of Object.keys(clients)) {
    try {
      answers[name] = await clients[name]();
    } catch (error) {
      answers[name] = String(error && error.stack);
    }
  }
  return { statusCode: 200, body: JSON.stringify(answers) };
};
