"""Reads what `spec` wrote with the parsers of others; says what is wrong with it, and nothing when it is right.

    judge.py rest FILE           the published protos, with all their annotations
    judge.py terraform FILE TABLE   python-hcl2, against the provider's arguments
"""

import json
import re
import sys


def rest(path):
    from google.protobuf import json_format
    from yandex.cloud.serverless.functions.v1 import function_service_pb2

    text = open(path, encoding="utf-8").read()
    request = json_format.Parse(text, function_service_pb2.CreateFunctionVersionRequest())
    # What protobuf itself prints is what is canonical.
    printed = json_format.MessageToDict(request)
    if printed != json.loads(text):
        yield f"not canonical: {json.dumps(printed)}"
    yield from annotations(request, "")


def annotations(message, path):
    from google.protobuf.duration_pb2 import Duration
    from yandex.cloud import validation_pb2 as validation

    for group in message.DESCRIPTOR.oneofs:
        if group.GetOptions().Extensions[validation.exactly_one] and not message.WhichOneof(group.name):
            yield f"{path}{group.name}: none of them is set"
    for field in message.DESCRIPTOR.fields:
        rules = field.GetOptions().Extensions
        value = getattr(message, field.name)
        place = f"{path}{field.name}"
        many = field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED
        is_map = bool(field.message_type and field.message_type.GetOptions().map_entry)
        is_set = bool(value) if many or not field.has_presence else message.HasField(field.name)
        if rules[validation.required] and not is_set:
            yield f"{place}: required"
        if not is_set:
            continue
        items = list(value.values()) if is_map else list(value) if many else [value]
        if is_map and rules[validation.map_key].pattern:
            pattern = rules[validation.map_key].pattern
            yield from (f"{place}: key {key}" for key in value if not re.fullmatch(pattern, key))
        for item in items:
            if rules[validation.pattern] and not re.fullmatch(rules[validation.pattern], item):
                yield f"{place}: {item} is not {rules[validation.pattern]}"
            if rules[validation.length] and not within(len(item), rules[validation.length]):
                yield f"{place}: {len(item)} characters are not {rules[validation.length]}"
            if rules[validation.value]:
                number = item.seconds if isinstance(item, Duration) else item
                if not within(number, rules[validation.value].replace("s", "")):
                    yield f"{place}: {number} is not {rules[validation.value]}"
        if field.message_type and not is_map and field.message_type.full_name.startswith("yandex."):
            for index, item in enumerate(items):
                yield from annotations(item, f"{place}.{index}." if many else f"{place}.")


def within(number, rule):
    if rule.startswith("<="):
        return number <= int(rule[2:])
    if rule.startswith(">"):
        return number > int(rule[1:])
    low, high = rule.split("-")
    return int(low) <= number <= int(high)


def terraform(path, table):
    import hcl2

    table = json.load(open(table, encoding="utf-8"))
    with open(path, encoding="utf-8") as file:
        module = hcl2.load(file)
    for kind in ("data", "resource"):
        for block in module.get(kind, []):
            for name, labelled in block.items():
                name = name.strip('"')
                known = table.get(f"{kind} {name}")
                if known is None:
                    yield f"{kind} {name}: not known"
                for label, body in labelled.items():
                    yield from arguments(body, known, f"{name}.{label}")
                    if name == "yandex_function" and ("content" in body) == ("package" in body):
                        yield f"{label}: not exactly one of content and package"


def arguments(body, known, path):
    for key, value in body.items():
        if key.startswith("__"):
            continue
        argument = known.get(key)
        if argument is None:
            yield f"{path}.{key}: not known"
        elif "block" in argument:
            if len(value) > argument.get("max", len(value)):
                yield f"{path}.{key}: {len(value)} blocks"
            for block in value:
                yield from arguments(block, argument["block"], f"{path}.{key}")
        else:
            types = {"string": str, "number": int, "bool": bool, "map": dict, "set": list, "list": list}
            if not isinstance(value, types[argument["type"]]):
                yield f"{path}.{key}: {value!r} is no {argument['type']}"
    for key, argument in known.items():
        if argument.get("required") and key not in body:
            yield f"{path}.{key}: required"


PROBLEMS = {"rest": rest, "terraform": terraform}[sys.argv[1]](*sys.argv[2:])
print("\n".join(PROBLEMS), end="")
