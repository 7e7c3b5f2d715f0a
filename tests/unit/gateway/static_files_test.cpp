#include "http/static_files.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace peal::gateway::http {
namespace {

namespace fs = std::filesystem;

class StaticFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "peal-static-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    write("index.html", "<p>hello");
    write("client.js", "export {}");
    write("client.js.gz", "zipped");
    write("deep/font.woff2", "font");
    write(".secret", "no");
    write(".git/config", "no");
    write("../" + folder.filename().string() + "-outside", "outside");
    files = *StaticFiles::load(folder.string());
  }
  void TearDown() override {
    fs::remove_all(folder);
    fs::remove(folder.string() + "-outside");
  }
  void write(const std::string& name, const std::string& content) {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name) << content;
  }
  Response get(std::string path, std::string_view encoding = "", std::string_view tag = "") {
    Request request;
    request.method = method;
    request.path = std::move(path);
    request.headers = {{"accept-encoding", encoding}, {"if-none-match", tag}};
    return files->respond(request);
  }
  static std::string header(const Response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return {};
  }

  fs::path folder;
  std::string method = "GET";
  std::shared_ptr<const StaticFiles> files;
};

TEST_F(StaticFilesTest, ServeThePageWithItsHeaders) {
  const Response page = get("/");
  EXPECT_EQ(page.status, 200U);
  EXPECT_EQ(page.body, "<p>hello");
  EXPECT_EQ(header(page, "Content-Type"), "text/html; charset=utf-8");
  EXPECT_NE(header(page, "Content-Security-Policy").find("default-src 'self'"), std::string::npos);
  EXPECT_EQ(header(page, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(header(page, "Access-Control-Allow-Origin"), "");
  EXPECT_EQ(get("/deep/font.woff2").body, "font");
  EXPECT_FALSE(page.head_only);
  method = "HEAD";
  EXPECT_TRUE(get("/").head_only);
}

TEST_F(StaticFilesTest, LetPagesElsewhereImportTheClient) {
  EXPECT_EQ(header(get("/client.js"), "Access-Control-Allow-Origin"), "*");
}

TEST_F(StaticFilesTest, AnswerAKnownTagWith304) {
  const std::string tag = header(get("/"), "ETag");
  EXPECT_EQ(tag.front(), '"');
  const Response same = get("/", "", "\"other\", W/" + tag);
  EXPECT_EQ(same.status, 304U);
  EXPECT_TRUE(same.body.empty());
  EXPECT_EQ(header(same, "ETag"), tag);
  EXPECT_EQ(get("/", "", "*").status, 304U);
  EXPECT_EQ(get("/", "", "\"other\"").status, 200U);
}

TEST_F(StaticFilesTest, SendGzipToThoseWhoTakeIt) {
  const Response zipped = get("/client.js", "br, gzip;q=0.5");
  EXPECT_EQ(zipped.body, "zipped");
  EXPECT_EQ(header(zipped, "Content-Encoding"), "gzip");
  EXPECT_EQ(header(zipped, "Vary"), "Accept-Encoding");
  EXPECT_NE(header(zipped, "ETag"), header(get("/client.js"), "ETag"));
  EXPECT_EQ(header(zipped, "Content-Type"), "text/javascript; charset=utf-8");
  for (const std::string_view encoding : {"", "br", "gzip;q=0", "gzip; q=0.0"}) {
    EXPECT_EQ(get("/client.js", encoding).body, "export {}") << encoding;
  }
  EXPECT_EQ(get("/", "gzip").body, "<p>hello");
}

TEST_F(StaticFilesTest, LeadNowhereElse) {
  for (const std::string& path :
       {"/../" + folder.filename().string() + "-outside", std::string("/.secret"),
        std::string("/.git/config"), std::string("//index.html"), std::string("/deep"),
        std::string("/deep/../index.html"), std::string("index.html"), std::string("*")}) {
    EXPECT_FALSE(files->has(path)) << path;
    EXPECT_EQ(get(path).status, 404U) << path;
  }
}

TEST_F(StaticFilesTest, SayWhyTheyCannotBeRead) {
  const auto missing = StaticFiles::load(folder.string() + "/nowhere");
  ASSERT_TRUE(missing.has_error());
  EXPECT_NE(missing.error().message.find("web_root"), std::string::npos);
  EXPECT_NE(missing.error().message.find("nowhere"), std::string::npos);
}

}  // namespace
}  // namespace peal::gateway::http
