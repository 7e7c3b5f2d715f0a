#include "peal/monitor/change.hpp"

namespace peal::monitor {

std::string_view name_of(Change::What what) {
  switch (what) {
    case Change::What::insert:
      return "insert";
    case Change::What::update:
      return "update";
    case Change::What::remove:
      return "delete";
    case Change::What::truncate:
      return "truncate";
    case Change::What::snapshot:
      break;
  }
  return "snapshot";
}

std::string_view name_of(Event event) {
  switch (event) {
    case Event::insert:
      return "insert";
    case Event::update:
      return "update";
    case Event::remove:
      return "delete";
    case Event::enter:
      return "enter";
    case Event::leave:
      return "leave";
    case Event::truncate:
      return "truncate";
    case Event::snapshot:
      return "snapshot";
    case Event::reset:
      break;
  }
  return "reset";
}

}  // namespace peal::monitor
