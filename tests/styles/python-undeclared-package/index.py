import yandexcloud


def handler(event, context):
    return {"statusCode": 200, "body": yandexcloud.__version__}
