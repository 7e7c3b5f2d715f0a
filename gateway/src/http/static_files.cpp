#include "http/static_files.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "http/text.hpp"
#include "peal/proto/channel_name.hpp"

namespace peal::gateway::http {
namespace {

constexpr std::size_t kFileBytesMax = 16U << 20U;

/// A page of this folder runs scripts and styles of its own only, can't be framed, and talks to
/// gateways.
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string_view content_type(std::string_view path) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kTypes = {{
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".json", "application/json"},
      {".map", "application/json"},
      {".txt", "text/plain; charset=utf-8"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".woff2", "font/woff2"},
      {".webmanifest", "application/manifest+json"},
  }};
  for (const auto& [ending, type] : kTypes) {
    if (path.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

std::string tag_of(std::string_view body) {
  std::array<char, 16> digits{};
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), stable_hash(body), 16).ptr;
  return std::string(digits.data(), end) + '-' + std::to_string(body.size());
}

Result<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream content;
  if (!in || !(content << in.rdbuf() || in.peek() == std::ifstream::traits_type::eof())) {
    return fail(ErrorCode::config_invalid,
                "web_root: can't read " + path.string() + ": " + std::strerror(errno));
  }
  return std::move(content).str();
}

/// Whether an If-None-Match lists this tag; weak forms of it count (RFC 9110, 13.1.2).
bool matches(std::string_view header, std::string_view quoted) {
  std::string_view element;
  while (next_element(header, element)) {
    if (element == "*") return true;
    if (element.starts_with("W/")) element.remove_prefix(2);
    if (element == quoted) return true;
  }
  return false;
}

/// Whether Accept-Encoding takes gzip: named (or `*`) and not with q=0.
bool takes_gzip(std::string_view header) {
  std::string_view element;
  while (next_element(header, element)) {
    const auto semicolon = std::min(element.find(';'), element.size());
    const auto coding = trim(element.substr(0, semicolon));
    if (!equal_ignoring_case(coding, "gzip") && coding != "*") continue;
    auto weight = trim(element.substr(std::min(semicolon + 1, element.size())));
    if (!weight.starts_with("q=")) return true;
    return weight.find_first_of("123456789") != std::string_view::npos;
  }
  return false;
}

}  // namespace

Result<std::shared_ptr<const StaticFiles>> StaticFiles::load(const std::string& folder) {
  namespace fs = std::filesystem;
  auto made = std::make_shared<StaticFiles>();
  const auto unreadable = [&](const std::error_code& error) {
    return fail(ErrorCode::config_invalid,
                "web_root: can't read the folder " + folder + ": " + error.message());
  };
  std::error_code error;
  fs::recursive_directory_iterator walk(folder, error);
  if (error) return unreadable(error);
  for (; walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (error) return unreadable(error);
    const bool hidden = walk->path().filename().string().starts_with('.');
    if (hidden && walk->is_directory(error)) walk.disable_recursion_pending();
    if (hidden || !walk->is_regular_file(error)) continue;
    if (walk->file_size(error) > kFileBytesMax) {
      return fail(ErrorCode::config_invalid,
                  "web_root: " + walk->path().string() + " is larger than 16 MiB");
    }
    auto body = read_file(walk->path());
    if (body.has_error()) return body.error();
    const std::string path = '/' + fs::relative(walk->path(), folder, error).generic_string();
    File& file = made->files_[path];
    file.tag = tag_of(*body);
    file.type = content_type(path);
    file.body = std::move(*body);
  }
  if (error) return unreadable(error);
  for (auto& [path, file] : made->files_) {
    const auto neighbour = made->files_.find(path + ".gz");
    if (neighbour != made->files_.end()) file.gzip = neighbour->second.body;
  }
  return std::shared_ptr<const StaticFiles>(std::move(made));
}

const StaticFiles::File* StaticFiles::find(std::string_view path) const {
  const auto found = files_.find(path == "/" ? std::string_view("/index.html") : path);
  return found == files_.end() ? nullptr : &found->second;
}

Response StaticFiles::respond(const Request& request) const {
  const File* file = find(request.path);
  if (file == nullptr) return problem(fail(ErrorCode::not_found, "there is no such page"));
  Response response;
  const bool gzip = !file->gzip.empty() && takes_gzip(request.header("Accept-Encoding"));
  const std::string tag = '"' + file->tag + (gzip ? ";gzip\"" : "\"");
  response.headers = {
      {"Content-Type", std::string(file->type)},
      {"ETag", tag},
      {"Cache-Control", "no-cache"},
      {"Content-Security-Policy", std::string(kContentSecurityPolicy)},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
  };
  if (!file->gzip.empty()) response.headers.emplace_back("Vary", "Accept-Encoding");
  if (gzip) response.headers.emplace_back("Content-Encoding", "gzip");
  if (request.path == "/client.js" || request.path == "/client-positions.js") {
    // The client is for pages of other origins, too; it holds no secret.
    response.headers.emplace_back("Access-Control-Allow-Origin", "*");
    response.headers.emplace_back("Cross-Origin-Resource-Policy", "cross-origin");
  }
  response.head_only = request.method == "HEAD";
  if (matches(request.header("If-None-Match"), tag)) {
    response.status = 304;
  } else {
    response.body = gzip ? file->gzip : file->body;
  }
  return response;
}

}  // namespace peal::gateway::http
