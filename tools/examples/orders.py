#!/usr/bin/env python3
"""The backend of the demo's orders page: hears over Peal what the page asks for, and does it in Postgres.

usage: orders.py GATEWAY_URL DSN

It tells nobody what changed: the rows ring by themselves, whoever writes them. Only whether it was done is answered.
"""

import json
import sys
import time
import urllib.request

import psycopg

WISHES = {
    "add": "insert into orders (item, total) values (%(item)s, %(total)s)",
    "change": "update orders set status = %(status)s, total = %(total)s where id = %(id)s",
    "remove": "delete from orders where id = %(id)s",
}


def heard(gateway: str, channel: str):
    """What is published there, as server-sent events bring it."""
    data = ""
    for line in urllib.request.urlopen(f"{gateway}/stream?channel={channel}"):
        line = line.decode().rstrip("\n")
        if line.startswith("data:"):
            data += line[5:]
        elif not line and data:
            event, data = json.loads(data), ""
            if event.get("event") == "message" and isinstance(event.get("message"), dict):
                yield event["message"]


def do(dsn: str, wish: dict) -> str | None:
    """Why it was not done, if it wasn't. Values are parameters: nothing that comes from a page becomes SQL."""
    try:
        with psycopg.connect(dsn, connect_timeout=5) as database:
            database.execute(WISHES[wish.get("do")], wish)
    except psycopg.Error as error:
        return error.diag.message_primary or str(error)
    except KeyError as error:
        return f"{error} is missing or not known"
    return None


def main(gateway: str, dsn: str) -> None:
    while True:
        try:
            for wish in heard(gateway, "demo:orders:wishes"):
                answer = json.dumps({"wish": wish.get("wish"), "refused": do(dsn, wish)}).encode()
                urllib.request.urlopen(f"{gateway}/channels/demo:orders:answers", data=answer).close()
        except OSError as error:
            print(f"{gateway}: {error}", flush=True)
        time.sleep(1)  # the gateway is away, or has ended the stream


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), sys.argv[2])
