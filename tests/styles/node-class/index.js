class Greeter {
  constructor(greeting) {
    this.greeting = greeting;
  }

  async handle(event, context) {
    return { statusCode: 200, body: this.greeting };
  }
}

const greeter = new Greeter("Hello!");

module.exports.handler = (event, context) => greeter.handle(event, context);
