#include "core/base/json.h"

#include <cmath>
#include <limits>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tandem {

using nlohmann::json;

Result<json> parse_json_object(std::string_view text, std::string_view file) {
  constexpr int kMaxDepth = 64;
  if (text.find('\0') != std::string_view::npos)  // the parser would take it for the end of the text
    return Error{ErrorCode::BadFormat, fmt::format("{}: not JSON, it holds a zero byte", file)};
  std::vector<std::unordered_set<std::string>> keys;  // of the objects around the value being parsed
  std::string duplicate;
  bool too_deep = false;
  const auto check = [&](int depth, json::parse_event_t event, json& value) {
    switch (event) {
      case json::parse_event_t::object_start:
        keys.emplace_back();
        [[fallthrough]];
      case json::parse_event_t::array_start:
        too_deep = too_deep || depth > kMaxDepth;
        return !too_deep;
      case json::parse_event_t::key:
        if (!keys.back().insert(value.get_ref<const std::string&>()).second && duplicate.empty())
          duplicate = value.get_ref<const std::string&>();
        return true;
      case json::parse_event_t::object_end:
        keys.pop_back();
        return true;
      default:
        return true;
    }
  };
  json document = json::parse(text, check, false);
  if (too_deep)
    return Error{ErrorCode::BadFormat, fmt::format("{}: JSON nested deeper than {}", file, kMaxDepth)};
  if (document.is_discarded()) return Error{ErrorCode::BadFormat, fmt::format("{}: not valid JSON", file)};
  if (!duplicate.empty())
    return Error{ErrorCode::BadFormat, fmt::format("{}: the key '{}' appears twice", file, duplicate)};
  if (!document.is_object())
    return Error{ErrorCode::BadFormat,
                 fmt::format("{}: holds a JSON {}, wanted an object", file, document.type_name())};
  return document;
}

std::string describe_json(const json& value) {
  constexpr std::size_t kLongest = 60;
  if (value.is_structured()) return fmt::format("an {} of {}", value.type_name(), value.size());
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

const json* JsonFields::find(const char* name) const {
  const auto found = object_->find(name);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

bool JsonFields::has(const char* name) const {
  return find(name) != nullptr;
}

Error JsonFields::wrong(const char* name, std::string_view wanted) const {
  const json* value = find(name);
  const std::string found = value != nullptr ? "is " + describe_json(*value) : "is missing";
  return {ErrorCode::BadFormat, fmt::format("{}: '{}' {}, wanted {}", where_, name, found, wanted)};
}

Result<std::int64_t> JsonFields::integer(const char* name, std::int64_t least, std::int64_t most) const {
  const json* value = find(name);
  const bool fits = value != nullptr && value->is_number_integer() &&
                    (!value->is_number_unsigned() ||
                     value->get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max());
  if (!fits || value->get<std::int64_t>() < least || value->get<std::int64_t>() > most)
    return wrong(name, fmt::format("an integer from {} to {}", least, most));
  return value->get<std::int64_t>();
}

Result<std::int64_t> JsonFields::integer(const char* name, std::int64_t least, std::int64_t most,
                                         std::int64_t absent) const {
  return has(name) ? integer(name, least, most) : absent;
}

Result<double> JsonFields::number(const char* name, double least, double most) const {
  const json* value = find(name);
  if (value == nullptr || !value->is_number() || !(value->get<double>() >= least) ||
      !(value->get<double>() <= most))
    return wrong(name, fmt::format("a number from {} to {}", least, most));
  return value->get<double>();
}

Result<double> JsonFields::number(const char* name, double least, double most, double absent) const {
  return has(name) ? number(name, least, most) : absent;
}

Result<bool> JsonFields::boolean(const char* name, bool absent) const {
  const json* value = find(name);
  if (value == nullptr) return absent;
  if (!value->is_boolean()) return wrong(name, "true or false");
  return value->get<bool>();
}

Result<std::string> JsonFields::text(const char* name) const {
  const json* value = find(name);
  if (value == nullptr || !value->is_string()) return wrong(name, "a string");
  return value->get<std::string>();
}

Result<std::string> JsonFields::text(const char* name, std::string_view absent) const {
  return has(name) ? text(name) : std::string(absent);
}

Result<const json*> JsonFields::object(const char* name) const {
  const json* value = find(name);
  if (value == nullptr || !value->is_object()) return wrong(name, "an object");
  return value;
}

Result<const json*> JsonFields::array(const char* name) const {
  const json* value = find(name);
  if (value == nullptr || !value->is_array()) return wrong(name, "an array");
  return value;
}

}  // namespace tandem
