#include "publication_printer.hpp"

namespace peal::cli {

void PublicationPrinter::print(const std::string& channel, const JsonObject& publication) {
  if (finished()) {
    return;
  }
  left_ -= counted_ ? 1 : 0;
  if (console_.terminal() && !console_.json) {
    print_for_people(channel, publication);
    return;
  }
  JsonBuilder out;
  out.text("channel", channel);
  for (const auto& [name, value] : publication.members()) {
    if (name != "event" && name != "channel") {
      out.raw(name, minify(value));
    }
  }
  console_.line(out.str());
}

void PublicationPrinter::print_for_people(const std::string& channel,
                                          const JsonObject& publication) {
  std::string text = console_.paint(Colour::cyan, printable(channel));
  if (publication.has("offset")) {
    text += console_.paint(Colour::dim, " " + publication.text("offset"));
  }
  if (publication.has("key")) {
    text += " " + console_.paint(Colour::yellow, printable(publication.text("key")));
  }
  const std::string message = publication.has("message")  ? minify(publication.raw("message"))
                              : publication.has("text")   ? publication.text("text")
                              : publication.has("base64") ? publication.text("base64")
                                                          : "(deleted)";
  console_.line(text + "  " + printable(message));
}

}  // namespace peal::cli
