// The index of a safetensors file, parsed event by event into tensor entries: nothing is kept of a header but
// the entries, and parsing ends at the first thing that is wrong.
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <tuple>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "core/checkpoint/checkpoint.h"

namespace tandem {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kMaxRank = 64;

/// Bits of one element, 0 for a type that the format does not have.
std::uint64_t dtype_bits(std::string_view dtype) {
  static constexpr std::pair<std::string_view, std::uint64_t> kTypes[] = {
      {"BOOL", 8},    {"U8", 8},          {"I8", 8},          {"U16", 16},    {"I16", 16},    {"U32", 32},
      {"I32", 32},    {"U64", 64},        {"I64", 64},        {"F16", 16},    {"BF16", 16},   {"F32", 32},
      {"F64", 64},    {"C64", 64},        {"F8_E5M2", 8},     {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F4", 4},
      {"F6_E2M3", 6}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"F6_E3M2", 6},
  };
  for (const auto& [name, bits] : kTypes)
    if (name == dtype) return bits;
  return 0;
}

/// Where the parser is inside the header.
enum class Place { Start, Tensors, Metadata, Tensor, Shape, Offsets, End };

class HeaderHandler final : public json::json_sax_t {
 public:
  explicit HeaderHandler(std::uint64_t payload_bytes) : payload_bytes_(payload_bytes) {}

  /// Entries with offsets relative to the payload.
  std::vector<TensorEntry> take_entries() { return std::move(entries_); }
  /// Empty while nothing is wrong.
  const std::string& failure() const { return failure_; }

  bool key(string_t& name) override {
    switch (place_) {
      case Place::Tensors:
        if (!names_.insert(name).second) return fail(fmt::format("the name '{}' appears twice", name));
        entry_ = {};
        entry_.name = name;
        return true;
      case Place::Metadata:
        return true;
      default:
        field_ = name;
        if (field_ != "dtype" && field_ != "shape" && field_ != "data_offsets")
          return fail(fmt::format("tensor '{}' has a field '{}', wanted dtype, shape and data_offsets",
                                  entry_.name, field_));
        if (!fields_.insert(field_).second)
          return fail(fmt::format("tensor '{}' has the field '{}' twice", entry_.name, field_));
        return true;
    }
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::Start) {
      place_ = Place::Tensors;
    } else if (place_ == Place::Tensors) {
      place_ = entry_.name == "__metadata__" ? Place::Metadata : Place::Tensor;
      fields_.clear();
      offsets_.clear();
    } else {
      return unexpected("an object");
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::Tensors) {
      place_ = Place::End;
      return true;
    }
    if (place_ == Place::Tensor && !finish_tensor()) return false;
    place_ = Place::Tensors;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::Tensor || field_ == "dtype") return unexpected("an array");
    place_ = field_ == "shape" ? Place::Shape : Place::Offsets;
    return true;
  }

  bool end_array() override {
    place_ = Place::Tensor;
    return true;
  }

  bool string(string_t& text) override {
    if (place_ == Place::Metadata) return true;
    if (place_ != Place::Tensor || field_ != "dtype") return unexpected("a string");
    entry_.dtype = text;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::Shape && value <= std::numeric_limits<std::int64_t>::max()) {
      if (entry_.shape.size() == kMaxRank)
        return fail(fmt::format("tensor '{}' has more than {} dimensions", entry_.name, kMaxRank));
      entry_.shape.push_back(static_cast<std::int64_t>(value));
      return true;
    }
    if (place_ == Place::Offsets && offsets_.size() < 2) {
      offsets_.push_back(value);
      return true;
    }
    return unexpected(std::to_string(value));
  }

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("true or false"); }
  bool number_integer(number_integer_t value) override { return unexpected(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return unexpected(text); }
  bool binary(json::binary_t&) override { return unexpected("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return fail(fmt::format("the header is not valid JSON at byte {}", position));
  }

 private:
  bool fail(std::string message) {
    failure_ = std::move(message);
    return false;
  }

  bool unexpected(std::string_view found) {
    switch (place_) {
      case Place::Start:
        return fail(fmt::format("the header is {}, wanted an object", found));
      case Place::Metadata:
        return fail(fmt::format("__metadata__ holds {}, wanted strings", found));
      case Place::Tensors:
        return fail(fmt::format("'{}' is {}, wanted an object", entry_.name, found));
      default: {
        const char* wanted = field_ == "dtype"   ? "a string"
                             : field_ == "shape" ? "an array of sizes"
                                                 : "an array of two byte offsets";
        return fail(fmt::format("tensor '{}': {} holds {}, wanted {}", entry_.name, field_, found, wanted));
      }
    }
  }

  bool finish_tensor() {
    for (const char* field : {"dtype", "shape", "data_offsets"})
      if (!fields_.contains(field)) return fail(fmt::format("tensor '{}' has no {}", entry_.name, field));
    if (offsets_.size() != 2)
      return fail(fmt::format("tensor '{}' has {} data offsets, wanted 2", entry_.name, offsets_.size()));
    const auto [begin, end] = std::pair(offsets_[0], offsets_[1]);
    if (begin > end || end > payload_bytes_)
      return fail(
          fmt::format("tensor '{}' lies at bytes {} to {} of the data, wanted a range within its {} bytes",
                      entry_.name, begin, end, payload_bytes_));
    const std::uint64_t bits_each = dtype_bits(entry_.dtype);
    if (bits_each == 0)
      return fail(fmt::format("tensor '{}' has the unknown dtype '{}'", entry_.name, entry_.dtype));
    std::uint64_t bits = bits_each;
    for (const std::int64_t extent : entry_.shape)
      if (__builtin_mul_overflow(bits, static_cast<std::uint64_t>(extent), &bits))
        return fail(fmt::format("tensor '{}' has shape [{}], more elements than 64 bits can count",
                                entry_.name, fmt::join(entry_.shape, ", ")));
    if (bits % 8 != 0 || bits / 8 != end - begin)
      return fail(fmt::format("tensor '{}' holds {} bytes, its shape [{}] of {} implies {} bits", entry_.name,
                              end - begin, fmt::join(entry_.shape, ", "), entry_.dtype, bits));
    entry_.begin = begin;
    entry_.end = end;
    entries_.push_back(std::move(entry_));
    return true;
  }

  std::uint64_t payload_bytes_;
  Place place_ = Place::Start;
  TensorEntry entry_;
  std::string field_;
  std::unordered_set<std::string> fields_;
  std::vector<std::uint64_t> offsets_;
  std::unordered_set<std::string> names_;
  std::vector<TensorEntry> entries_;
  std::string failure_;
};

/// Ranges must cover the payload in order, without holes or overlap. Returns what is wrong, or nothing.
std::string check_tiling(const std::vector<TensorEntry>& sorted, std::uint64_t payload_bytes) {
  std::uint64_t covered = 0;
  for (const TensorEntry& entry : sorted) {
    if (entry.begin != covered)
      return fmt::format("tensor '{}' begins at byte {} of the data, wanted {}: {}", entry.name, entry.begin,
                         covered,
                         entry.begin < covered ? "it overlaps the tensor before it" : "there is a hole");
    covered = entry.end;
  }
  if (covered != payload_bytes)
    return fmt::format("{} bytes of data belong to tensors, the file holds {}", covered, payload_bytes);
  return {};
}

}  // namespace

Result<std::vector<TensorEntry>> read_safetensors_index(std::span<const std::byte> file,
                                                        std::string_view file_name) {
  const auto bad = [&](const std::string& message) {
    return Error{ErrorCode::BadFormat, fmt::format("{}: {}", file_name, message)};
  };
  std::uint64_t header_bytes = 0;
  static_assert(std::endian::native == std::endian::little, "the length is stored little-endian");
  if (file.size() < sizeof header_bytes)
    return bad(fmt::format("holds {} bytes, a safetensors file has at least 8", file.size()));
  std::memcpy(&header_bytes, file.data(), sizeof header_bytes);
  if (header_bytes > kMaxHeaderBytes)
    return bad(fmt::format("says that its header has {} bytes, at most {} are allowed", header_bytes,
                           kMaxHeaderBytes));
  const std::uint64_t payload_begin = sizeof header_bytes + header_bytes;
  if (payload_begin > file.size())
    return bad(fmt::format("says that its header ends at byte {}, the file has {} bytes", payload_begin,
                           file.size()));

  const std::string_view header(reinterpret_cast<const char*>(file.data()) + sizeof header_bytes,
                                static_cast<std::size_t>(header_bytes));
  if (header.empty() || header.front() != '{') return bad("the header does not begin with '{'");
  if (header.find('\0') != std::string_view::npos)  // the parser would take it for the end of the text
    return bad("the header holds a zero byte");
  const std::uint64_t payload_bytes = file.size() - payload_begin;
  HeaderHandler handler(payload_bytes);
  if (!json::sax_parse(header, &handler)) return bad(handler.failure());

  std::vector<TensorEntry> entries = handler.take_entries();
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  if (std::string failure = check_tiling(entries, payload_bytes); !failure.empty()) return bad(failure);
  for (TensorEntry& entry : entries) {
    entry.begin += payload_begin;
    entry.end += payload_begin;
  }
  return entries;
}

}  // namespace tandem
