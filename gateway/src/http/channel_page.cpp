#include "http/channel_page.hpp"

#include "http/etag.hpp"
#include "websocket/utf8.hpp"

namespace peal::gateway::http {
namespace {

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.2rem; overflow-wrap: anywhere; }
pre { padding: 1rem; border: 1px solid #8886; border-radius: .5rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
p { opacity: .75; }
</style>
)";

// The stream says what the value is now, then each change; a value too large to be told is fetched.
constexpr std::string_view kScript = R"(const shown = document.getElementById("value");
const state = document.getElementById("state");
const at = document.getElementById("at");

async function fetchValue() {
  const response = await fetch(location.href, { headers: { Accept: "*/*" } });
  shown.textContent = response.ok ? await response.text() : "";
}

function show(event) {
  if (event.event === "closed" || event.event === "unsubscribed") {
    state.textContent = event.message ?? "ended";
    return;
  }
  if (event.event === "reset" || event.notice) {
    fetchValue().catch(() => { state.textContent = "The value could not be fetched."; });
  } else if (event.event === "message") {
    if (event.delete) shown.textContent = "";
    else if ("message" in event) shown.textContent = JSON.stringify(event.message, null, 2);
    else shown.textContent = event.text ?? `${event.base64?.length ?? 0} characters of base64`;
  }
  if (event.offset !== undefined) at.textContent = String(event.offset);
}

const source = new EventSource(location.href);
source.onopen = () => { state.textContent = "following"; };
source.onerror = () => { state.textContent = "not connected; trying again"; };
source.onmessage = (message) => {
  const event = JSON.parse(message.data);
  for (const publication of event.publications ?? []) show({ event: "message", ...publication });
  show(event);
};
)";

void append_text(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
}

}  // namespace

Response channel_page(std::string_view channel, const CurrentValue& value,
                      std::string cache_control) {
  Response response;
  response.headers = {{"Content-Type", "text/html; charset=utf-8"},
                      {"ETag", tag_of(value.position, kHtmlForm)},
                      {"Cache-Control", std::move(cache_control)},
                      {"Vary", "Accept, Origin"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Content-Security-Policy",
                       "default-src 'none'; script-src 'self'; connect-src 'self'; "
                       "style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'self'"}};
  std::string& page = response.body;
  page = kHead;
  page += "<title>";
  append_text(page, channel);
  page += "</title>\n<h1>";
  append_text(page, channel);
  page += "</h1>\n<pre id=\"value\">";
  if (websocket::valid_utf8(value.last->payload))
    append_text(page, value.last->payload);
  else
    page += std::to_string(value.last->payload.size()) + " bytes that are no text";
  page += "</pre>\n<p><span id=\"state\">not following</span> · ";
  append_text(page, content_type_of(*value.last));
  page += " · offset <span id=\"at\">" + std::to_string(value.position.offset.value);
  page += "</span></p>\n<script type=\"module\" src=\"/channel.js\"></script>\n</html>\n";
  return response;
}

Response channel_script() {
  return {200,
          {{"Content-Type", "text/javascript; charset=utf-8"},
           {"Cache-Control", "public, max-age=300"},
           {"X-Content-Type-Options", "nosniff"}},
          std::string(kScript)};
}

}  // namespace peal::gateway::http
