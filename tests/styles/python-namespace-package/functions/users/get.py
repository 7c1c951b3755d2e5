from . import store


def handler(event, context):
    return {"statusCode": 200, "body": store.get("1")}
