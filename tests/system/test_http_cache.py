"""The resource and file faces as the web uses them: curl, and the caching nginx of docs/operations.md in front.

A public channel's answers are kept there, a thousand equal waits reach the gateway as a handful, and what isn't
public passes through every time.
"""

import asyncio
import json
import re
import subprocess

import pytest

from lib.nginx import Nginx
from lib.processes import PATIENCE_S, ROOT, until

CONFIG = """
[[channels]]
pattern = "public:file"
subscribe = "anyone"
publish = "anyone"
file = true
public = true
cache_max_age = "60s"

[[channels]]
pattern = "public:*"
subscribe = "anyone"
publish = "anyone"
recoverable = true
public = true
cache_max_age = "60s"

[[channels]]
pattern = "*"
subscribe = "anyone"
publish = "anyone"
recoverable = true
"""
REQUESTS = 'peal_http_face_requests_total'


def snippets() -> tuple[str, str]:
    """What docs/operations.md says: the part for http, and the part for server."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    http, server = re.findall(r"^```nginx-cache\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return http, server


@pytest.fixture
def gateway(cluster):
    return cluster.gateway(config=CONFIG)


@pytest.fixture
def nginx(gateway, cluster):
    http, server = snippets()
    http = http.replace("127.0.0.1:8420", gateway.ready["listen"]).replace("/var/cache/nginx", str(cluster.folder))
    # The same once more, for channels that should not be there.
    cached = re.search(r"location ~ .*?\n}\n", server, re.DOTALL)[0]
    cached = re.sub(r"location ~ \S+", "location /cached/", cached).replace("http://peal;", "http://peal/;")
    server += cached
    with Nginx(cluster.folder, http, server) as process:
        yield process


class Answer:
    def __init__(self, head: str, body: str):
        lines = head.split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:] if ": " in line)}
        self.body = body


def curl(url: str, *flags: str) -> Answer:
    done = subprocess.run(["curl", "-sS", "-i", *flags, url], capture_output=True, check=True,
                          timeout=PATIENCE_S)
    head, _, body = done.stdout.decode().partition("\r\n\r\n")
    while head.startswith("HTTP/1.1 100"):
        head, _, body = body.partition("\r\n\r\n")
    return Answer(head, body)


def put(base: str, path: str, body: str, *flags: str) -> Answer:
    return curl(base + path, "-X", "PUT", "-H", "Content-Type: application/json", "-d", body, *flags)


def test_curl_gets_304_and_206(gateway):
    """Straight from the gateway, and what curl does by itself: save a tag, compare it, go on with a download."""
    tag = put(gateway.url, "/channels/doc", '{"n": 1}').headers["etag"]
    assert curl(gateway.url + "/channels/doc").headers["etag"] == tag
    assert curl(gateway.url + "/channels/doc", "-H", f"If-None-Match: {tag}").status == 304
    assert put(gateway.url, "/channels/doc", "2", "-H", f"If-Match: {tag}").status == 200
    assert put(gateway.url, "/channels/doc", "3", "-H", f"If-Match: {tag}").status == 412
    assert curl(gateway.url + "/files/public:file", "-T", "/dev/null").status == 201
    line = "0123456789"
    appended = curl(gateway.url + "/files/public:file", "-X", "PUT", "-d", line,
                    "-H", f"Content-Range: bytes 0-{len(line) - 1}/*")
    assert appended.status == 204
    part = curl(gateway.url + "/files/public:file", "-r", "2-5")
    assert (part.status, part.body, part.headers["content-range"]) == (206, "2345", "bytes 2-5/18")
    rest = curl(gateway.url + "/files/public:file", "-C", "8")
    assert rest.body.startswith("89") and len(rest.body) == 10


def test_a_public_value_is_answered_by_the_cache(gateway, nginx):
    tag = put(gateway.url, "/channels/public:doc", '{"n": 1}').headers["etag"]
    first = curl(nginx.url + "/channels/public:doc")
    assert (first.status, first.body, first.headers["etag"]) == (200, '{"n": 1}', tag)
    before = gateway.metric(REQUESTS, face="channels")
    for _ in range(5):
        again = curl(nginx.url + "/channels/public:doc")
        assert (again.body, again.headers["x-cache"]) == ('{"n": 1}', "HIT")
    assert curl(nginx.url + "/channels/public:doc", "-H", f"If-None-Match: {tag}").status == 304
    assert gateway.metric(REQUESTS, face="channels") == before
    page = curl(nginx.url + "/channels/public:doc", "-H", "Accept: text/html")
    assert page.headers["content-type"].startswith("text/html"), "Vary keeps the forms apart"


def test_a_public_file_is_cut_into_ranges_by_the_cache(gateway, nginx):
    assert put(gateway.url, "/files/public:file", "0123456789").status == 201
    assert len(curl(nginx.url + "/files/public:file").body) == 18
    before = gateway.metric(REQUESTS, face="files")
    part = curl(nginx.url + "/files/public:file", "-r", "2-5")
    assert (part.status, part.body) == (206, "2345")
    assert gateway.metric(REQUESTS, face="files") == before


def test_what_is_not_public_is_never_cached(gateway, nginx):
    """Neither where the configuration caches nor where it doesn't; conditions and ranges go through."""
    tag = put(nginx.url, "/channels/own", "1").headers["etag"]
    before = gateway.metric(REQUESTS, face="channels")
    for path in ("/channels/own", "/cached/channels/own"):
        for number in range(5):
            assert curl(nginx.url + path).headers.get("x-cache") != "HIT"
    epoch = tag.strip('"').split("-")[0]
    for number in range(5):
        page = curl(nginx.url + f"/cached/channels/own?since={epoch}-0")
        assert page.headers["cache-control"] == "private, no-store"
    assert gateway.metric(REQUESTS, face="channels") == before + 15
    assert curl(nginx.url + "/channels/own", "-H", f"If-None-Match: {tag}").status == 304
    assert put(nginx.url, "/channels/own", "2", "-H", f"If-Match: {tag}").status == 200
    lost = put(nginx.url, "/channels/own", "3", "-H", f"If-Match: {tag}")
    assert (lost.status, lost.body) == (412, "2")


async def wait_for_answer(port: int, target: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    text = await reader.read()
    writer.close()
    return text.decode()


def test_a_thousand_equal_waits_reach_the_gateway_as_a_handful(gateway, nginx):
    kept = put(gateway.url, "/channels/public:doc", "1")
    since = kept.headers["etag"].strip('"')
    before = gateway.metric(REQUESTS, face="channels")

    async def all_of_them():
        target = f"/channels/public:doc?since={since}&wait=50"
        waits = [asyncio.create_task(wait_for_answer(nginx.port, target)) for _ in range(1000)]
        await asyncio.to_thread(until, lambda: gateway.metric(REQUESTS, face="channels") > before, "a wait arrived")
        await asyncio.to_thread(put, gateway.url, "/channels/public:doc", '"news"')
        return await asyncio.wait_for(asyncio.gather(*waits), PATIENCE_S)

    answers = asyncio.run(all_of_them())
    reached = gateway.metric(REQUESTS, face="channels") - before - 1  # the PUT
    bodies = {answer.partition("\r\n\r\n")[2] for answer in answers}
    print(f"1,000 equal waits reached the gateway as {reached:.0f}")
    assert len(bodies) == 1 and '"news"' in bodies.pop()
    assert json.loads(answers[0].partition("\r\n\r\n")[2])["publications"][0]["message"] == "news"
    assert reached <= 5
