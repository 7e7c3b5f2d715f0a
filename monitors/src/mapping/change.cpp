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
      break;
  }
  return "truncate";
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
      break;
  }
  return "truncate";
}

}  // namespace peal::monitor
