#include <algorithm>
#include <cctype>
#include <optional>

#include "mapping/filter_node.hpp"

namespace peal::monitor {
namespace {

using Node = Filter::Node;
using Kind = Node::Kind;
using NodePtr = std::unique_ptr<Node>;

/// Deeper than any condition written by a person; the tree is walked by recursion.
constexpr std::size_t kDepthMax = 64;

bool begins_name(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}
bool continues_name(char c) {
  return begins_name(c) || is_digit(c) || c == '$';
}
std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return out;
}

struct Token {
  enum class Kind : std::uint8_t { end, word, name, text, number, sign, wrong } kind = Kind::end;
  std::string text{};  ///< a word in lower case; a text without its quotes
  std::size_t at = 0;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) { next(); }

  Result<NodePtr> whole() {
    auto node = either();
    if (node && token_.kind != Token::Kind::end) return wrong("AND, OR or the end");
    return node;
  }

 private:
  Error wrong(std::string_view expected) const {
    const std::string found =
        token_.kind == Token::Kind::end ? "the end" : std::string(text_.substr(token_.at, 20));
    return fail(ErrorCode::config_invalid, "at character " + std::to_string(token_.at + 1) + ": " +
                                               std::string(expected) + " expected, not " + found);
  }

  void next() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0)
      ++at_;
    token_ = {Token::Kind::end, {}, at_};
    if (at_ == text_.size()) return;
    const char c = text_[at_];
    if (c == '\'' || c == '"') return quoted(c);
    const std::size_t begin = at_;
    if (begins_name(c)) {
      while (at_ < text_.size() && continues_name(text_[at_]))
        ++at_;
      token_.kind = Token::Kind::word;
      token_.text = lower(text_.substr(begin, at_ - begin));
    } else if (is_digit(c) ||
               (c == '-' && begin + 1 < text_.size() && is_digit(text_[begin + 1]))) {
      ++at_;
      while (at_ < text_.size() &&
             (is_digit(text_[at_]) || text_[at_] == '.' || std::tolower(text_[at_]) == 'e' ||
              ((text_[at_] == '+' || text_[at_] == '-') && std::tolower(text_[at_ - 1]) == 'e')))
        ++at_;
      token_.kind = Token::Kind::number;
      token_.text = text_.substr(begin, at_ - begin);
    } else {
      token_.kind = Token::Kind::sign;
      const std::string_view two = text_.substr(begin, 2);
      at_ += two == "<=" || two == ">=" || two == "<>" || two == "!=" ? 2 : 1;
      token_.text = text_.substr(begin, at_ - begin);
    }
  }

  void quoted(char quote) {
    token_.kind = quote == '"' ? Token::Kind::name : Token::Kind::text;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == quote) {
        ++at_;
        if (at_ == text_.size() || text_[at_] != quote) return;
      }
      token_.text += text_[at_];
    }
    token_.kind = Token::Kind::wrong;  // it never ends
  }

  bool take(Token::Kind kind, std::string_view text) {
    if (token_.kind != kind || token_.text != text) return false;
    next();
    return true;
  }
  bool take_word(std::string_view word) { return take(Token::Kind::word, word); }
  bool take_sign(std::string_view sign) { return take(Token::Kind::sign, sign); }

  Result<NodePtr> chain(Kind kind, std::string_view word, Result<NodePtr> (Parser::*part)()) {
    auto first = (this->*part)();
    if (!first || token_.kind != Token::Kind::word || token_.text != word) return first;
    auto node = make(kind);
    node->children.push_back(std::move(*first));
    while (take_word(word)) {
      auto further = (this->*part)();
      if (!further) return further;
      node->children.push_back(std::move(*further));
    }
    return node;
  }
  Result<NodePtr> either() { return chain(Kind::any, "or", &Parser::both); }
  Result<NodePtr> both() { return chain(Kind::all, "and", &Parser::negated); }

  Result<NodePtr> negated() {
    if (depth_ == kDepthMax) return fail(ErrorCode::config_invalid, "nested too deeply");
    ++depth_;
    auto node = take_word("not") ? negation(negated()) : test();
    --depth_;
    return node;
  }

  Result<NodePtr> test() {
    if (take_sign("(")) {
      auto node = either();
      if (node && !take_sign(")")) return wrong("a closing parenthesis");
      return node;
    }
    if (token_.kind != Token::Kind::word && token_.kind != Token::Kind::name)
      return wrong("a column");
    const std::string column = token_.text;
    next();
    if (take_word("is")) {
      const bool negative = take_word("not");
      if (!take_word("null")) return wrong("NULL");
      auto node = make(Kind::is_null, column);
      return negative ? negation(std::move(node)) : Result<NodePtr>(std::move(node));
    }
    if (take_word("not")) {
      if (!take_word("in")) return wrong("IN");
      return negation(list(column));
    }
    if (take_word("in")) return list(column);
    return comparison(column);
  }

  Result<NodePtr> list(const std::string& column) {
    auto node = make(Kind::in, column);
    if (!take_sign("(")) return wrong("an opening parenthesis");
    do {
      auto value = literal();
      if (!value) return value.error();
      node->values.push_back(std::move(*value));
    } while (take_sign(","));
    if (!take_sign(")")) return wrong("a comma or a closing parenthesis");
    return node;
  }

  Result<NodePtr> comparison(const std::string& column) {
    const std::string sign = token_.kind == Token::Kind::sign ? token_.text : "";
    const bool negative = sign == "<>" || sign == "!=" || sign == ">" || sign == ">=";
    Kind kind = Kind::equal;
    if (sign == "<" || sign == ">=") {
      kind = Kind::less;
    } else if (sign == "<=" || sign == ">") {
      kind = Kind::less_or_equal;
    } else if (sign != "=" && sign != "<>" && sign != "!=") {
      return wrong("a comparison, IS or IN");
    }
    next();
    auto value = literal();
    if (!value) return value.error();
    auto node = make(kind, column);
    node->values.push_back(std::move(*value));
    return negative ? negation(std::move(node)) : Result<NodePtr>(std::move(node));
  }

  Result<std::string> literal() {
    std::string json;
    if (token_.kind == Token::Kind::text) {
      append_json_text(json, token_.text);
    } else if (token_.kind == Token::Kind::number ||
               (token_.kind == Token::Kind::word &&
                (token_.text == "true" || token_.text == "false" || token_.text == "null"))) {
      json = token_.text;
      if (!reader_.validate(json)) return wrong("a number");
    } else {
      return wrong("a value ('text', a number, TRUE, FALSE or NULL)");
    }
    next();
    return json;
  }

  static NodePtr make(Kind kind, std::string column = {}) {
    auto node = std::make_unique<Node>();
    node->kind = kind;
    node->column = std::move(column);
    return node;
  }
  static Result<NodePtr> negation(Result<NodePtr> child) {
    if (!child) return child;
    auto node = make(Kind::negation);
    node->children.push_back(std::move(*child));
    return node;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  Token token_;
  JsonReader reader_;
};

}  // namespace

Result<NodePtr> parse_filter(std::string_view text) {
  return Parser(text).whole();
}

}  // namespace peal::monitor
