type Answer = dict[str, object]


def first[T](items: list[T]) -> T:
    return items[0]


def handler(event, context) -> Answer:
    return {"statusCode": first([200]), "body": "Hello!"}
