#include "curve_keys.hpp"
#include "json_text.hpp"
#include "verbs.hpp"

namespace peal::cli {
namespace {

class Keygen final : public Verb {
 public:
  std::string_view name() const override { return "keygen"; }
  std::string_view summary() const override { return "Make a CURVE key pair for tcp:// sockets."; }

  void describe(Arguments& arguments) override {
    arguments.word("NAME", name_, "writes NAME.key (secret, rights 0600) and NAME.pub");
    arguments.example("peal keygen broker-1",
                      "a pair for a broker; its public key goes into the others' lists");
  }

  Outcome<void> run(Console& console) override {
    auto public_key = write_new_keys(name_);
    if (!public_key) {
      return public_key.error();
    }
    if (console.json) {
      console.line(JsonBuilder()
                       .text("public_key", *public_key)
                       .text("public_file", name_ + ".pub")
                       .text("secret_file", name_ + ".key")
                       .str());
      return {};
    }
    console.line(*public_key);
    console.note("The secret key is in " + name_ +
                 ".key: it stays on its machine. The public one, above "
                 "and in " +
                 name_ + ".pub, goes to whom it talks to.");
    return {};
  }

 private:
  std::string name_;
};

}  // namespace

std::unique_ptr<Verb> make_keygen() {
  return std::make_unique<Keygen>();
}

}  // namespace peal::cli
