from functools import partial


def greet(greeting, event, context):
    return {"statusCode": 200, "body": f"{greeting}, world!"}


handler = partial(greet, "Hello")
