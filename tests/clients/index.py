"""Every client that functions ask the metadata service with, each as its own documentation shows it."""

import asyncio
import json
import os
import traceback
import urllib.request

ADDRESS = "169.254.169.254"
URL = "http://" + ADDRESS + "/computeMetadata/v1/instance/service-accounts/default/token"
HEADERS = {"Metadata-Flavor": "Google"}


def with_requests():
    import requests

    return requests.get(URL, headers=HEADERS).json()["access_token"]


def with_urllib():
    with urllib.request.urlopen(urllib.request.Request(URL, headers=HEADERS)) as response:
        return json.load(response)["access_token"]


def with_urllib3():
    import urllib3

    return urllib3.PoolManager().request("GET", URL, headers=HEADERS).json()["access_token"]


def with_httpx():
    import httpx

    return httpx.get(URL, headers=HEADERS).json()["access_token"]


def with_httpx_async():
    import httpx

    async def ask():
        async with httpx.AsyncClient() as client:
            return (await client.get(URL, headers=HEADERS)).json()["access_token"]

    return asyncio.run(ask())


def with_aiohttp():
    return asyncio.run(ask_with_aiohttp())


async def ask_with_aiohttp():
    import aiohttp

    async with aiohttp.ClientSession() as session:
        async with session.get(URL, headers=HEADERS) as response:
            return (await response.json())["access_token"]


def with_uvloop():
    import uvloop

    return uvloop.run(ask_with_aiohttp())


def with_yandexcloud():
    from yandexcloud._auth_fabric import get_auth_token_requester

    return get_auth_token_requester().get_token()


def with_yandexcloud_by_address():
    from yandexcloud._auth_fabric import get_auth_token_requester

    return get_auth_token_requester(metadata_addr=ADDRESS).get_token()


def with_google_auth():
    from google.auth import compute_engine
    from google.auth.transport.requests import Request

    credentials = compute_engine.Credentials()
    credentials.refresh(Request())
    return credentials.token


def with_google_auth_default():
    import google.auth
    from google.auth.transport.requests import Request

    credentials, _ = google.auth.default()
    credentials.refresh(Request())
    return credentials.token


def main(event, context):
    answers = {}
    for name in os.environ["CLIENTS"].split():
        try:
            answers[name] = globals()["with_" + name]()
        except Exception:
            answers[name] = traceback.format_exc()
    return {"statusCode": 200, "body": json.dumps(answers)}
