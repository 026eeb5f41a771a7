// JSON from files that are not trusted: parsed without exceptions, fields read with their type and range
// checked. For .cpp files that already work on nlohmann::json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "core/base/result.h"

namespace tandem {

/// Parses a document that must be an object. Refuses duplicate keys, nesting deeper than 64, and bytes after
/// the end. Errors: BadFormat, starting with `file`.
Result<nlohmann::json> parse_json_object(std::string_view text, std::string_view file);

/// The fields of one object, read by name. Errors name file, field, found and wanted (BadFormat).
class JsonFields {
 public:
  /// `where`: the file, with the path of the object inside it ("config.json: rope_scaling"). Both are
  /// borrowed.
  JsonFields(const nlohmann::json& object, std::string_view where) : object_(&object), where_(where) {}

  /// Whether the field is there and not null.
  bool has(const char* name) const;
  Result<std::int64_t> integer(const char* name, std::int64_t least, std::int64_t most) const;
  Result<std::int64_t> integer(const char* name, std::int64_t least, std::int64_t most,
                               std::int64_t absent) const;
  /// A finite number, integers included.
  Result<double> number(const char* name, double least, double most) const;
  Result<double> number(const char* name, double least, double most, double absent) const;
  Result<bool> boolean(const char* name, bool absent) const;
  Result<std::string> text(const char* name) const;
  Result<std::string> text(const char* name, std::string_view absent) const;
  Result<const nlohmann::json*> object(const char* name) const;
  Result<const nlohmann::json*> array(const char* name) const;

  /// "config.json: 'name' is <found>, wanted <wanted>"
  Error wrong(const char* name, std::string_view wanted) const;

 private:
  const nlohmann::json* find(const char* name) const;
  const nlohmann::json* object_;
  std::string_view where_;
};

/// A value as it appears in messages: its JSON text, cut after 60 bytes.
std::string describe_json(const nlohmann::json& value);

}  // namespace tandem
