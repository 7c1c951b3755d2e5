from tools import logged


@logged("hello")
def handler(event, context):
    return {"statusCode": 200, "body": "Hello!"}
