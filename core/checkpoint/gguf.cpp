#include "core/checkpoint/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <unordered_set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/utf8.h"

namespace tandem {
namespace {

constexpr std::uint64_t kMaxKeyBytes = 65535;
constexpr std::uint64_t kMaxNameBytes = 63;
constexpr std::uint32_t kMaxDimensions = 4;
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kMaxAlignment = 1 << 20;
constexpr std::uint64_t kMaxExtent = std::uint64_t{1} << 40;

// Types of settings, as the file numbers them.
enum ValueType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
  kValueTypes
};

/// Bytes of one value, 0 where they vary.
std::uint64_t value_bytes(std::uint32_t type) {
  constexpr std::uint64_t kBytes[kValueTypes] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return kBytes[type];
}

struct TensorType {
  std::uint32_t number;
  BlockFormat format;
};
constexpr TensorType kTensorTypes[] = {
    {0, BlockFormat::F32},   {1, BlockFormat::F16},   {2, BlockFormat::Q4_0},  {3, BlockFormat::Q4_1},
    {6, BlockFormat::Q5_0},  {7, BlockFormat::Q5_1},  {8, BlockFormat::Q8_0},  {12, BlockFormat::Q4_K},
    {13, BlockFormat::Q5_K}, {14, BlockFormat::Q6_K}, {30, BlockFormat::BF16},
};

/// Numbers and texts one after another; what would lie beyond the end is not read.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::uint64_t at() const { return at_; }
  std::uint64_t left() const { return bytes_.size() - at_; }

  template <typename Number>
  std::optional<Number> number() {
    Number value;
    const auto from = take(sizeof value);
    if (!from) return std::nullopt;
    std::memcpy(&value, from->data(), sizeof value);
    return value;
  }
  std::optional<std::string_view> text() {
    const auto length = number<std::uint64_t>();
    const auto from = length ? take(*length) : std::nullopt;
    if (!from) return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(from->data()), from->size());
  }
  std::optional<std::span<const std::byte>> take(std::uint64_t count) {
    if (count > left()) return std::nullopt;
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }

 private:
  std::span<const std::byte> bytes_;
  std::uint64_t at_ = 0;
};

/// One file being read.
class GgufReader {
 public:
  GgufReader(std::span<const std::byte> bytes, std::string_view name)
      : size_(bytes.size()), in_(bytes), file_{GgufSettings(name), {}} {}

  Result<GgufFile> read() {
    TANDEM_RETURN_IF_ERROR(read_header());
    for (std::uint64_t i = 0; i < setting_count_; ++i) TANDEM_RETURN_IF_ERROR(read_setting(i));
    for (std::uint64_t i = 0; i < tensor_count_; ++i) TANDEM_RETURN_IF_ERROR(read_tensor(i));
    TANDEM_RETURN_IF_ERROR(place_tensors());
    return std::move(file_);
  }

 private:
  Error bad(std::string_view what) const {
    return {ErrorCode::BadFormat, fmt::format("{}: {}", file_.settings.file(), what)};
  }
  Error unsupported(std::string_view what) const {
    return {ErrorCode::Unsupported, fmt::format("{}: {}", file_.settings.file(), what)};
  }
  Error cut_short(std::string_view what) const {
    return bad(fmt::format("{} at byte {} reaches beyond the end of the file, which has {} bytes", what,
                           in_.at(), size_));
  }

  Status read_header();
  Status check_counts(std::int64_t tensors, std::int64_t settings);
  Status read_setting(std::uint64_t index);
  Result<GgufValue> read_value(const std::string& what, std::uint32_t type);
  Result<GgufValue> read_array(const std::string& what);
  Status read_tensor(std::uint64_t index);
  Status read_shape(const std::string& what, GgufTensor& tensor);
  Status place_tensors();

  std::uint64_t size_;
  ByteReader in_;
  GgufFile file_;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t setting_count_ = 0;
  std::unordered_set<std::string> names_;
  std::vector<std::uint64_t> offsets_;  // of the tensors, as stored
};

Status GgufReader::read_header() {
  const auto magic = in_.take(4);
  if (!magic || std::memcmp(magic->data(), "GGUF", 4) != 0) return bad("does not begin with the bytes GGUF");
  const auto version = in_.number<std::uint32_t>();
  const auto tensors = in_.number<std::int64_t>();
  const auto settings = in_.number<std::int64_t>();
  if (!version || !tensors || !settings)
    return bad(fmt::format("has {} bytes, the header alone takes 24", size_));
  if ((*version & 0xFFFFU) == 0 && *version != 0)
    return unsupported("was written with its bytes in big-endian order, only little-endian files are read");
  if (*version != 2 && *version != 3)
    return unsupported(fmt::format("has GGUF version {}, versions 2 and 3 are read", *version));
  return check_counts(*tensors, *settings);
}

Status GgufReader::check_counts(std::int64_t tensors, std::int64_t settings) {
  constexpr std::uint64_t kSettingBytes = 8 + 1 + 4 + 1;         // length, key, type, value: at least
  constexpr std::uint64_t kTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // length, name, dimensions, type, offset
  const auto check = [this](const char* what, std::int64_t found, std::uint64_t bytes) -> Status {
    const std::uint64_t most = in_.left() / bytes;
    if (found >= 0 && static_cast<std::uint64_t>(found) <= most) return {};
    return bad(fmt::format("declares {} {}, a file of {} bytes has room for {}", found, what, size_, most));
  };
  TANDEM_RETURN_IF_ERROR(check("settings", settings, kSettingBytes));
  TANDEM_RETURN_IF_ERROR(check("tensors", tensors, kTensorBytes));
  setting_count_ = static_cast<std::uint64_t>(settings);
  tensor_count_ = static_cast<std::uint64_t>(tensors);
  return {};
}

Status GgufReader::read_setting(std::uint64_t index) {
  const auto key = in_.text();
  if (!key) return cut_short(fmt::format("the key of setting {}", index));
  if (key->empty() || key->size() > kMaxKeyBytes || !is_utf8(*key))
    return bad(fmt::format("setting {} has a key of {} bytes, wanted UTF-8 text of 1 to {} bytes", index,
                           key->size(), kMaxKeyBytes));
  const std::string what = fmt::format("setting '{}'", *key);
  const auto type = in_.number<std::uint32_t>();
  if (!type) return cut_short(what);
  TANDEM_TRY(const GgufValue value, read_value(what, *type));
  if (!file_.settings.add(*key, value)) return bad(what + " appears twice");
  return {};
}

Result<GgufValue> GgufReader::read_value(const std::string& what, std::uint32_t type) {
  const auto integer = [&]<typename Number>(Number) -> Result<GgufValue> {
    const auto value = in_.number<Number>();
    if (!value) return cut_short(what);
    using Wide = std::conditional_t<std::is_signed_v<Number>, std::int64_t, std::uint64_t>;
    return GgufValue(static_cast<Wide>(*value));
  };
  const auto floating = [&]<typename Number>(Number) -> Result<GgufValue> {
    const auto value = in_.number<Number>();
    if (!value) return cut_short(what);
    return GgufValue(static_cast<double>(*value));
  };
  switch (type) {
    case kU8:
      return integer(std::uint8_t{});
    case kI8:
      return integer(std::int8_t{});
    case kU16:
      return integer(std::uint16_t{});
    case kI16:
      return integer(std::int16_t{});
    case kU32:
      return integer(std::uint32_t{});
    case kI32:
      return integer(std::int32_t{});
    case kU64:
      return integer(std::uint64_t{});
    case kI64:
      return integer(std::int64_t{});
    case kF32:
      return floating(float{});
    case kF64:
      return floating(double{});
    case kBool: {
      const auto value = in_.number<std::uint8_t>();
      if (!value) return cut_short(what);
      if (*value > 1) return bad(fmt::format("{} is {}, wanted a boolean of 0 or 1", what, *value));
      return GgufValue(*value == 1);
    }
    case kString: {
      const auto value = in_.text();
      if (!value) return cut_short(what);
      return GgufValue(*value);
    }
    case kArray:
      return read_array(what);
    default:
      return bad(fmt::format("{} has type {}, types 0 to {} exist", what, type, kValueTypes - 1));
  }
}

Result<GgufValue> GgufReader::read_array(const std::string& what) {
  const auto type = in_.number<std::uint32_t>();
  const auto count = in_.number<std::uint64_t>();
  if (!type || !count) return cut_short(what);
  if (*type == kArray) return unsupported(what + " is an array of arrays, which is not read");
  if (*type >= kValueTypes)
    return bad(fmt::format("{} is an array of type {}, types 0 to {} exist", what, *type, kValueTypes - 1));
  GgufArray array{*type, *count, {}};
  const std::uint64_t least = *type == kString ? 8 : value_bytes(*type);
  if (*count > in_.left() / least)
    return bad(fmt::format("{} is an array of {} elements, the rest of the file has room for {}", what,
                           *count, in_.left() / least));
  if (*type != kString) {
    array.bytes = *in_.take(*count * least);
    return GgufValue(array);
  }
  ByteReader texts = in_;
  for (std::uint64_t i = 0; i < *count; ++i)
    if (!texts.text()) return cut_short(fmt::format("{}, element {},", what, i));
  array.bytes = *in_.take(texts.at() - in_.at());
  return GgufValue(array);
}

Status GgufReader::read_tensor(std::uint64_t index) {
  const auto name = in_.text();
  if (!name) return cut_short(fmt::format("the name of tensor {}", index));
  if (name->empty() || name->size() > kMaxNameBytes || !is_utf8(*name))
    return bad(fmt::format("tensor {} has a name of {} bytes, wanted UTF-8 text of 1 to {} bytes", index,
                           name->size(), kMaxNameBytes));
  GgufTensor tensor;
  tensor.name = *name;
  const std::string what = fmt::format("tensor '{}'", *name);
  if (!names_.insert(tensor.name).second) return bad(what + " appears twice");
  TANDEM_RETURN_IF_ERROR(read_shape(what, tensor));
  const auto type = in_.number<std::uint32_t>();
  const auto offset = in_.number<std::uint64_t>();
  if (!type || !offset) return cut_short(what);
  const auto known = std::find_if(std::begin(kTensorTypes), std::end(kTensorTypes),
                                  [&](const TensorType& candidate) { return candidate.number == *type; });
  if (known == std::end(kTensorTypes)) {
    std::vector<std::string> names;
    for (const TensorType& candidate : kTensorTypes)
      names.push_back(fmt::format("{} ({})", candidate.number, block_layout(candidate.format).name));
    return unsupported(
        fmt::format("{} has type {}, the types read are {}", what, *type, fmt::join(names, ", ")));
  }
  tensor.format = known->format;
  offsets_.push_back(*offset);
  file_.tensors.push_back(std::move(tensor));
  return {};
}

Status GgufReader::read_shape(const std::string& what, GgufTensor& tensor) {
  const auto dimensions = in_.number<std::uint32_t>();
  if (!dimensions) return cut_short(what);
  if (*dimensions < 1 || *dimensions > kMaxDimensions)
    return bad(fmt::format("{} has {} dimensions, wanted 1 to {}", what, *dimensions, kMaxDimensions));
  std::uint64_t elements = 1;
  for (std::uint32_t i = 0; i < *dimensions; ++i) {
    const auto extent = in_.number<std::uint64_t>();
    if (!extent) return cut_short(what);
    if (*extent < 1 || *extent > kMaxExtent / elements)
      return bad(fmt::format("{} has extent {} in dimension {}, wanted at least 1 and at most {} elements",
                             what, *extent, i, kMaxExtent));
    elements *= *extent;
    tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(*extent));  // stored fastest first
  }
  return {};
}

/// Gives the tensors their place in the file: one after another, each at a multiple of the alignment.
Status GgufReader::place_tensors() {
  TANDEM_TRY(const std::int64_t stored,
             file_.settings.integer("general.alignment", 1, kMaxAlignment, kDefaultAlignment));
  const auto alignment = static_cast<std::uint64_t>(stored);
  if (!std::has_single_bit(alignment)) return file_.settings.wrong("general.alignment", "a power of two");
  const auto aligned = [alignment](std::uint64_t at) { return (at + alignment - 1) / alignment * alignment; };
  const std::uint64_t data = aligned(in_.at());
  std::uint64_t offset = 0;
  std::uint64_t end = in_.at();
  for (std::size_t i = 0; i < file_.tensors.size(); ++i) {
    GgufTensor& tensor = file_.tensors[i];
    const BlockLayout& layout = block_layout(tensor.format);
    if (tensor.shape.back() % layout.elements != 0)
      return bad(fmt::format("tensor '{}' has rows of {} elements, {} wants a multiple of {}", tensor.name,
                             tensor.shape.back(), layout.name, layout.elements));
    if (offsets_[i] != offset)
      return bad(fmt::format("tensor '{}' has offset {}, wanted {}, where the one before it ends",
                             tensor.name, offsets_[i], offset));
    std::int64_t elements = 1;
    for (const std::int64_t extent : tensor.shape) elements *= extent;
    const auto bytes = static_cast<std::uint64_t>(block_bytes(tensor.format, elements));
    tensor.begin = data + offset;
    tensor.end = end = tensor.begin + bytes;
    if (end > size_)
      return bad(fmt::format("tensor '{}' ends at byte {}, the file has {} bytes", tensor.name, end, size_));
    offset = aligned(offset + bytes);
  }
  if (size_ > data + offset)
    return bad(fmt::format("has {} bytes, the last tensor ends at byte {}", size_, end));
  return {};
}

}  // namespace

Result<GgufFile> read_gguf(std::span<const std::byte> file, std::string_view file_name) {
  return GgufReader(file, file_name).read();
}

const GgufValue* GgufSettings::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

namespace {

constexpr std::size_t kShownBytes = 60;

std::string describe(const GgufValue* value) {
  if (value == nullptr) return "not there";
  struct Describe {
    std::string operator()(bool found) const { return found ? "true" : "false"; }
    std::string operator()(std::int64_t found) const { return std::to_string(found); }
    std::string operator()(std::uint64_t found) const { return std::to_string(found); }
    std::string operator()(double found) const { return fmt::format("{}", found); }
    std::string operator()(std::string_view found) const {
      return fmt::format("\"{}\"{}", repair_utf8(found.substr(0, kShownBytes)),
                         found.size() > kShownBytes ? "..." : "");
    }
    std::string operator()(const GgufArray& found) const {
      return fmt::format("an array of {} elements of type {}", found.count, found.type);
    }
  };
  return std::visit(Describe(), *value);
}

/// Any integer that fits.
std::optional<std::int64_t> as_integer(const GgufValue& value) {
  if (const auto* found = std::get_if<std::int64_t>(&value)) return *found;
  const auto* found = std::get_if<std::uint64_t>(&value);
  if (found == nullptr || *found > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  return static_cast<std::int64_t>(*found);
}

}  // namespace

Error GgufSettings::wrong(std::string_view key, std::string_view wanted) const {
  return {ErrorCode::BadFormat,
          fmt::format("{}: '{}' is {}, wanted {}", file_, key, describe(find(key)), wanted)};
}

Result<std::int64_t> GgufSettings::integer(std::string_view key, std::int64_t least,
                                           std::int64_t most) const {
  const GgufValue* value = find(key);
  const auto found = value != nullptr ? as_integer(*value) : std::nullopt;
  if (!found || *found < least || *found > most)
    return wrong(key, fmt::format("an integer from {} to {}", least, most));
  return *found;
}

Result<std::int64_t> GgufSettings::integer(std::string_view key, std::int64_t least, std::int64_t most,
                                           std::int64_t absent) const {
  if (!has(key)) return absent;
  return integer(key, least, most);
}

Result<double> GgufSettings::number(std::string_view key, double least, double most) const {
  const GgufValue* value = find(key);
  const auto whole = value != nullptr ? as_integer(*value) : std::nullopt;
  const auto* found = value != nullptr ? std::get_if<double>(value) : nullptr;
  const double number = whole ? static_cast<double>(*whole) : found != nullptr ? *found : least - 1;
  if (!(number >= least && number <= most))
    return wrong(key, fmt::format("a number from {} to {}", least, most));
  return number;
}

Result<double> GgufSettings::number(std::string_view key, double least, double most, double absent) const {
  if (!has(key)) return absent;
  return number(key, least, most);
}

Result<bool> GgufSettings::boolean(std::string_view key, bool absent) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return absent;
  if (const auto* found = std::get_if<bool>(value)) return *found;
  return wrong(key, "true or false");
}

Result<std::string_view> GgufSettings::text(std::string_view key) const {
  const GgufValue* value = find(key);
  const auto* found = value != nullptr ? std::get_if<std::string_view>(value) : nullptr;
  if (found == nullptr || !is_utf8(*found)) return wrong(key, "UTF-8 text");
  return *found;
}

Result<std::string_view> GgufSettings::text(std::string_view key, std::string_view absent) const {
  if (!has(key)) return absent;
  return text(key);
}

Result<std::vector<std::string_view>> GgufSettings::texts(std::string_view key) const {
  const GgufValue* value = find(key);
  const auto* array = value != nullptr ? std::get_if<GgufArray>(value) : nullptr;
  if (array == nullptr || array->type != kString) return wrong(key, "an array of texts");
  std::vector<std::string_view> texts;
  texts.reserve(array->count);
  ByteReader in(array->bytes);
  for (std::uint64_t i = 0; i < array->count; ++i) {
    texts.push_back(*in.text());
    if (!is_utf8(texts.back()))
      return Error{ErrorCode::BadFormat,
                   fmt::format("{}: element {} of '{}' is not valid UTF-8", file_, i, key)};
  }
  return texts;
}

Result<std::vector<std::int32_t>> GgufSettings::integers(std::string_view key) const {
  const GgufValue* value = find(key);
  const auto* array = value != nullptr ? std::get_if<GgufArray>(value) : nullptr;
  if (array == nullptr || (array->type != kI32 && array->type != kU32))
    return wrong(key, "an array of 32-bit integers");
  std::vector<std::int32_t> integers(array->count);
  if (!array->bytes.empty()) std::memcpy(integers.data(), array->bytes.data(), array->bytes.size());
  return integers;
}

}  // namespace tandem
